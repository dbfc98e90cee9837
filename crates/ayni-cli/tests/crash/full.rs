//! A disk that is full: a small file system of its own, in a mount namespace that ends with the test.
#![cfg(target_os = "linux")]

use std::process::{Child, Command, Stdio};

/// Writes until the disk is full, makes room, and goes on; everything runs in the namespace.
const SCRIPT: &str = r#"
set -u
mount -t tmpfs -o size=6m tmpfs "$FOLDER" || { echo "no mount"; exit 0; }
export AYNI_DIR="$FOLDER/db" AYNI_KEYS="$FOLDER/keys"
"$AYNI" init --name Full >/dev/null 2>&1 && "$AYNI" project new Mapa >/dev/null 2>&1 || exit 1
dd if=/dev/zero of="$FOLDER/filler" bs=1k count=2500 2>/dev/null || exit 1
text=$(head -c 60000 /dev/zero | tr '\0' x)
for key in $(seq 1 200); do
    if "$AYNI" put notes --key "$key" number="$key" text="$text" >/dev/null 2>"$OUT/error"; then
        echo "acknowledged $key"
    else
        echo "full at $key"; break
    fi
done
"$AYNI" query notes number\>0 --count
rm "$FOLDER/filler"
"$AYNI" put notes --key again number=1000 >/dev/null 2>&1 && echo "goes on"
"$AYNI" export --collection notes --format jsonl | grep -o '"number":[0-9]*'
mount -o remount,size=64m "$FOLDER"
"$AYNI" repair >"$OUT/repair" 2>&1 && echo "sound"
exit 0
"#;

#[test]
fn a_full_disk_refuses_with_a_reason_and_loses_nothing() {
    let out = tempfile::TempDir::new().unwrap();
    let folder = out.path().join("disk");
    std::fs::create_dir(&folder).unwrap();
    let namespace: &[&str] = match is_root() {
        true => &["--mount"],
        false => &["--mount", "--map-root-user"],
    };
    let run = Command::new("unshare")
        .args(namespace)
        .args(["sh", "-c", SCRIPT])
        .env("FOLDER", &folder)
        .env("OUT", out.path())
        .env("AYNI", env!("CARGO_BIN_EXE_ayni"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(Child::wait_with_output)
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success() && !said.contains("no mount"), "a mount namespace is needed: {said}");
    let lines: Vec<&str> = said.lines().collect();
    let acknowledged = lines.iter().filter(|line| line.starts_with("acknowledged")).count();
    assert!(acknowledged > 3 && lines.contains(&&*format!("full at {}", acknowledged + 1)), "{said}");
    let error = std::fs::read_to_string(out.path().join("error")).unwrap();
    assert!(error.contains("error:") && error.contains("full"), "{error}");
    assert!(!error.contains("panicked"), "{error}");
    assert!(lines.contains(&&*acknowledged.to_string()), "all that was acknowledged is there: {said}");
    for number in (1..=acknowledged).chain([1_000]) {
        assert!(lines.contains(&&*format!("\"number\":{number}")), "{number} is lost: {said}");
    }
    assert!(lines.contains(&"goes on") && lines.contains(&"sound"), "{said}");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}
