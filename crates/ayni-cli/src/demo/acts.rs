//! The acts, one after the other. Each checks what it shows, and notes what is not as it should be.

use std::time::{Duration, Instant};

use super::cast::Cast;
use super::folder::Stage;
use super::orders::{Answered, Disputed, Done, Edit, Fetched, Holdings, Imported, Invited, Order, Progress, Settled};
use super::screen::{Screen, amount, micros};
use super::story::{ALTITUDE, ANA, AREQUIPA, BEN, CHASKA, CUSCO, DEVICES, JULIACA, POPULATION, PUNO};
use super::{PROJECT, places, story};
use crate::failure::Failure;
use crate::terminal::words;

/// 2031-01-01, in milliseconds since 1970.
const WRONG_CLOCK: i64 = 1_924_992_000_000;

/// The demo while it plays.
struct Play<'a> {
    stage: &'a Stage,
    screen: &'a Screen,
    cast: Cast,
    /// Places that were imported.
    places: u64,
    /// UDP payload for each place that Ben fetched, in bytes.
    wire: f64,
    /// What is not as it should be.
    faults: Vec<String>,
}

/// Plays all acts; gives what is not as it should be.
pub(super) fn play(stage: &Stage, screen: &Screen, quick: bool) -> Result<Vec<String>, Failure> {
    screen.title("Ayni", "three devices, three processes, one local network; no server, no internet")?;
    let mut play = Play { stage, screen, cast: Cast::new(), places: 0, wire: 0.0, faults: Vec::new() };
    for name in DEVICES {
        let at = play.cast.enter(name, &stage.database(name), &stage.keys(name), stage.log(name))?;
        let Done {} = play.cast.ask(at, &Order::Create { name: name.to_owned() })?;
        stage.point_to_keys(name)?;
    }
    play.found(quick)?;
    play.join()?;
    play.part()?;
    play.meet()?;
    play.ask()?;
    play.leave()
}

impl Play<'_> {
    /// Ana founds the project and imports the places.
    fn found(&mut self, quick: bool) -> Result<(), Failure> {
        self.screen.act(1, format_args!("Ana founds the project “{PROJECT}” and imports the places"))?;
        let Done {} = self.cast.ask(ANA, &Order::Found { project: PROJECT.to_owned() })?;
        let mut bar = self.screen.bar("Ana", "places");
        self.cast.order(ANA, &Order::Import { tenth: quick })?;
        let imported: Imported = self.cast.answer(ANA, |progress| bar.show(progress))?;
        bar.clear();
        self.places = imported.places;
        let all = Progress { done: imported.places, total: imported.places, bytes: imported.bytes };
        let time = Duration::from_millis(imported.millis);
        self.screen.full("Ana", amount(all, "places", time))?;
        self.screen.aside("", "encrypted on the disk, signed, and indexed by country and population")?;
        self.screen.aside("", places::ATTRIBUTION)
    }

    /// The others join and fetch everything.
    fn join(&mut self) -> Result<(), Failure> {
        self.screen
            .act(2, "Ben and Chaska join with tickets that carry no address, and find the others by themselves")?;
        let Done {} = self.cast.ask(ANA, &Order::Online)?;
        for at in [BEN, CHASKA] {
            let Invited { ticket } = self.cast.ask(ANA, &Order::Invite)?;
            let Done {} = self.cast.ask(at, &Order::Join { ticket })?;
            let Done {} = self.cast.ask(at, &Order::Online)?;
            let mut bar = self.screen.bar(self.cast.name(at), "entries");
            bar.waiting("looks for the project's devices on this network");
            self.cast.order(at, &Order::Fetch { places: self.places })?;
            let mut last = Progress { done: 0, total: 0, bytes: 0 };
            let fetched: Fetched = self.cast.answer(at, |progress| {
                last = progress;
                bar.show(progress);
            })?;
            bar.clear();
            let wire = (fetched.received + fetched.sent) as f64 / self.places.max(1) as f64;
            if at == BEN {
                self.wire = wire;
            }
            let all = Progress { done: fetched.entries, total: fetched.entries, ..last };
            let time = Duration::from_millis(fetched.millis);
            self.screen.full(DEVICES[at], amount(all, "entries", time))?;
            let from = words::counted(fetched.from as u64, "device");
            let found = words::duration(Duration::from_millis(fetched.found));
            let received = words::bytes(fetched.received);
            self.screen.aside(
                "",
                format_args!("found after {found}; {received} received from {from}; verified and indexed"),
            )?;
        }
        Ok(())
    }

    /// A mistake while connected; then everyone is alone and edits.
    fn part(&mut self) -> Result<(), Failure> {
        self.screen.act(3, "While connected, edits arrive at once. Then all three go offline and go on alone")?;
        self.mistake()?;
        for at in self.cast.all() {
            let Done {} = self.cast.ask(at, &Order::Offline)?;
        }
        self.screen.aside("offline", "no device reaches another")?;
        for (at, edits) in self.cast.all().zip(story::alone()) {
            for edit in &edits {
                self.screen.line(self.cast.name(at), told(edit))?;
            }
            let Done {} = self.cast.ask(at, &Order::Edit { edits, clock: 0 })?;
        }
        Ok(())
    }

    fn mistake(&mut self) -> Result<(), Failure> {
        let (field, number) = (POPULATION.to_owned(), story::AREQUIPA_MISTAKE);
        self.cast.order(BEN, &Order::See { place: AREQUIPA.number.to_owned(), field, number })?;
        let clock = WRONG_CLOCK - words::now();
        let began = Instant::now();
        let Done {} = self.cast.ask(CHASKA, &Order::Edit { edits: vec![story::mistake()], clock })?;
        let Done {} = self.cast.answer(BEN, |_| ())?;
        let time = micros(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        self.screen.line(DEVICES[CHASKA], told(&story::mistake()))?;
        self.screen.aside("", format_args!("her clock says 2031; on Ben's device after {}", Screen::strong(time)))?;
        let settle = Order::Settle { devices: DEVICES.len() };
        for at in self.cast.all() {
            let _: Settled = self.cast.ask(at, &settle)?;
        }
        Ok(())
    }

    /// They meet again: everything is everywhere, and shown.
    fn meet(&mut self) -> Result<(), Failure> {
        self.screen.act(4, "They meet again")?;
        let began = Instant::now();
        for at in self.cast.all() {
            self.cast.order(at, &Order::Online)?;
        }
        for at in self.cast.all() {
            let Done {} = self.cast.answer(at, |_| ())?;
        }
        for at in self.cast.all() {
            self.cast.order(at, &Order::Settle { devices: DEVICES.len() })?;
        }
        let mut settled = Vec::new();
        for at in self.cast.all() {
            settled.push(self.cast.answer::<Settled>(at, |_| ())?);
        }
        let time = words::duration(began.elapsed());
        let hold = Order::Hold {
            places: story::PLACES_IN_IT.map(str::to_owned).to_vec(),
            names: story::NEW.map(str::to_owned).to_vec(),
        };
        let mut held = Vec::new();
        for at in self.cast.all() {
            held.push(self.cast.ask::<Holdings>(at, &hold)?);
        }
        self.compare(&held)?;
        if let Some(held) = held.first() {
            self.merged(held)?;
            self.conflict(&held.conflicts)?;
        }
        self.receipts(&settled, &time)
    }

    /// All devices hold the same.
    fn compare(&mut self, held: &[Holdings]) -> Result<(), Failure> {
        for (name, held) in DEVICES.iter().zip(held) {
            let (digest, places) = (held.digest.get(..16).unwrap_or(&held.digest), words::count(held.places));
            self.screen.line(name, format_args!("{places} places, digest {}", Screen::strong(digest)))?;
        }
        self.check(held.windows(2).all(|two| two[0].digest == two[1].digest), "the devices' digests differ");
        self.check(held.windows(2).all(|two| two[0] == two[1]), "the devices show different things");
        let expected = self.places + story::NEW.len() as u64;
        self.check(held.iter().all(|held| held.places == expected), "the number of places is not what it should be");
        Ok(())
    }

    /// What became of the edits that are in no conflict.
    fn merged(&mut self, held: &Holdings) -> Result<(), Failure> {
        let number = |at: usize, field: &str| held.records.get(at)?.as_ref()?.get(field)?.as_i64();
        let at = |number: &str| story::PLACES_IN_IT.iter().position(|place| *place == number).unwrap_or(usize::MAX);
        let (population, altitude) = (number(at(CUSCO.number), POPULATION), number(at(CUSCO.number), ALTITUDE));
        self.screen.line(
            CUSCO.name,
            format_args!("population {}, altitude {}: both edits stand", shown(population), shown(altitude)),
        )?;
        let both = (population, altitude) == (Some(story::CUSCO_POPULATION), Some(story::CUSCO_ALTITUDE));
        self.check(both, "Cusco does not show what Ana and Ben wrote");
        let population = number(at(AREQUIPA.number), POPULATION);
        self.screen.line(
            AREQUIPA.name,
            format_args!(
                "population {}: Ben had seen Chaska's edit, so the clock of 2031 does not matter",
                shown(population)
            ),
        )?;
        self.check(population == Some(story::AREQUIPA_POPULATION), "Arequipa does not show what Ben wrote");
        let altitude = number(at(JULIACA.number), ALTITUDE);
        self.screen.line(
            JULIACA.name,
            format_args!("altitude {}: kept, since Chaska edited it while Ana deleted it", shown(altitude)),
        )?;
        self.check(altitude == Some(story::JULIACA_ALTITUDE), "Juliaca was lost");
        self.screen.line("new", format_args!("{} are on all three", story::NEW.join(", ")))?;
        self.check(held.named.iter().all(|count| *count == 1), "the new places are not there exactly once");
        Ok(())
    }

    /// The one true conflict.
    fn conflict(&mut self, conflicts: &[Disputed]) -> Result<(), Failure> {
        for disputed in conflicts {
            let what = format!("{} of {}", disputed.field, disputed.place);
            self.screen
                .line("conflict", format_args!("{} was written by two who could not know:", Screen::strong(what)))?;
            for (at, claim) in disputed.values.iter().enumerate() {
                let role = if at == 0 { "shown" } else { "kept until someone settles it" };
                let (value, author, time) = (claim.value.as_i64(), &claim.author, time_of_day(claim.time));
                self.screen.line("", format_args!("{}  {author} at {time}, {role}", shown(value)))?;
            }
        }
        let one = matches!(conflicts, [only] if only.place == PUNO.name && only.field == POPULATION);
        self.check(
            one,
            format_args!("there are {} conflicts, not exactly the one of Puno's population", conflicts.len()),
        );
        let mut values: Vec<_> =
            conflicts.iter().flat_map(|one| &one.values).map(|claim| claim.value.as_i64()).collect();
        values.sort_unstable();
        self.check(values == story::PUNO_POPULATIONS.map(Some), "the conflict has not the values that were written");
        Ok(())
    }

    fn receipts(&mut self, settled: &[Settled], time: &str) -> Result<(), Failure> {
        let all = DEVICES.len();
        let devices = settled.iter().map(|settled| settled.devices).min().unwrap_or(0);
        let as_of = time_of_day(settled.iter().map(|settled| settled.time).min().unwrap_or(0));
        let what = format!("{devices} of {all} devices have everything, as of {as_of}");
        self.screen.line("receipts", Screen::strong(what))?;
        self.screen.aside("", format_args!("by their own signed receipts, {time} after they went online"))?;
        self.check(devices == all, "not every device has acknowledged everything");
        Ok(())
    }

    /// A few queries.
    fn ask(&mut self) -> Result<(), Failure> {
        self.screen.act(5, "Questions to Chaska's device, which fetched all it knows")?;
        let questions = [
            ("country=PE", None, None, "an index answers"),
            ("population>=5000000", Some("population:desc"), None, "an index answers, in its order"),
            (
                "country=PE population>=100000",
                Some("population:desc"),
                Some(3),
                "an index answers, three are asked for",
            ),
            ("name=Cusco", None, None, "every place is looked at"),
        ];
        for (selector, sort, limit, how) in questions {
            let order = Order::Ask { selector: selector.to_owned(), sort: sort.map(str::to_owned), limit };
            let answered: Answered = self.cast.ask(CHASKA, &order)?;
            let with_ana: Answered = self.cast.ask(ANA, &order)?;
            let mut question = selector.to_owned();
            if let Some(sort) = sort {
                question = format!("{question} --sort {sort}");
            }
            if let Some(limit) = limit {
                question = format!("{question} --limit {limit}");
            }
            let places = words::counted(answered.documents.len() as u64, "place");
            let time = Screen::strong(micros(answered.micros));
            self.screen.line("query", question)?;
            self.screen.line("", format_args!("{places} in {time}: {how}"))?;
            self.check(!answered.documents.is_empty(), format_args!("nothing answers to {selector}"));
            self.check(
                answered.documents == with_ana.documents,
                format_args!("Ana and Chaska answer {selector} differently"),
            );
        }
        Ok(())
    }

    /// The devices leave; what they took, on the wire and on the disk.
    fn leave(self) -> Result<Vec<String>, Failure> {
        self.cast.leave()?;
        self.screen.act(6, "What it took")?;
        self.screen
            .line("wire", format_args!("{:.0} bytes for each place, both ways, when Ben fetched them", self.wire))?;
        let mut sizes = Vec::new();
        for name in DEVICES {
            let size = self.stage.size(name)?;
            sizes.push(format!("{name} {} ({} a place)", words::bytes(size), size / self.places.max(1)));
        }
        self.screen.line("disk", format_args!("{}, encrypted", sizes.join(", ")))?;
        if self.faults.is_empty() {
            self.screen.good("Same digests, one true conflict, nothing lost.")?;
        }
        Ok(self.faults)
    }

    fn check(&mut self, holds: bool, otherwise: impl std::fmt::Display) {
        if !holds {
            self.faults.push(otherwise.to_string());
        }
    }
}

/// An edit in words.
fn told(edit: &Edit) -> String {
    match edit {
        Edit::Set { place, field, number } => {
            format!("{} of {}: {}", field, story::name_of(place), shown(Some(*number)))
        }
        Edit::Delete { place } => format!("deletes {}", story::name_of(place)),
        Edit::Create { name, .. } => format!("adds {name}"),
    }
}

/// A number as people read it, or that there is none.
fn shown(number: Option<i64>) -> String {
    number.map_or("nothing".to_owned(), |number| match u64::try_from(number) {
        Ok(number) => words::count(number),
        Err(_) => number.to_string(),
    })
}

fn time_of_day(millis: i64) -> String {
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
        Err(_) => format!("{millis} ms"),
    }
}
