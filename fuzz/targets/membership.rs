//! Control entries and requests to join.
#![no_main]

use ayni_log::ids::ProjectId;
use ayni_log::membership::{ControlBody, JoinRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(body) = ControlBody::decode(data) {
        assert_eq!(body.encode(), data);
    }
    if let Ok(request) = JoinRequest::decode(data) {
        assert_eq!(request.encode(), data);
        let _ = request.verify(ProjectId([7; 32]));
    }
});
