//! Messages and receipts: what can be read is written back byte by byte.
#![no_main]

use ayni_sync::message::Message;
use ayni_sync::{Receipt, SignedReceipt, limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, body)) = data.split_first() else { return };
    if let Ok(Some(message)) = Message::decode(*kind, body) {
        // A hello of a newer program may say more than is read.
        if !matches!(&message, Message::Hello(hello) if hello.version > limits::VERSION) {
            assert_eq!(&message.encode()[4..], data);
        }
    }
    if let Ok(receipt) = Receipt::decode(body) {
        assert_eq!(receipt.encode(), body);
    }
    if let Ok(signed) = SignedReceipt::decode(body) {
        assert_eq!(signed.encode(), body);
        let _ = signed.verify();
        let _ = signed.receipt();
    }
});
