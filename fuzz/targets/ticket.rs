//! What people type: tickets and the words of a recovery key.
#![no_main]

use ayni_log::membership::{RecoveryKey, Ticket};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(ticket) = text.parse::<Ticket>() {
        let written = ticket.to_string();
        assert_eq!(written.parse::<Ticket>().as_ref(), Ok(&ticket));
    }
    if let Ok(key) = RecoveryKey::from_words(text) {
        assert!(RecoveryKey::from_words(&key.words()).is_ok_and(|again| again.words() == key.words()));
    }
});
