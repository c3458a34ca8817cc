//! What must hold for any bytes taken as an OTLP/JSON request.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::IgnoredAny;

/// Refused with a place and a reason, or translated to protobuf that is no longer and that others can read; and
/// what was taken is JSON to others, too.
pub fn holds(data: &[u8]) {
    match spanloom_wire::otlp_json::to_proto(data) {
        Ok(bytes) => {
            assert!(bytes.len() <= data.len(), "{} bytes became {}", data.len(), bytes.len());
            if let Err(error) = ExportTraceServiceRequest::decode(&bytes[..]) {
                // Others nest less deep than we do.
                assert!(error.to_string().contains("recursion limit"), "{error}");
            }
            let theirs = serde_json::from_slice::<IgnoredAny>(data);
            assert!(theirs.is_ok(), "{theirs:?}");
        }
        Err(error) => assert!(error.line > 0 && !error.message.is_empty(), "{error:?}"),
    }
}
