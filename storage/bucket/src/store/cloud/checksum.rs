//! A checksum for Google Cloud Storage, which `object_store` sends none to: `x-goog-hash`, with the CRC-32C of the
//! body, on every PUT. The store refuses a body that does not fit.
//!
//! Its requests carry a token and no signature, so a header may be added when all others are there. Requests to S3
//! and Azure are signed and pass as they are.
//!
//! See <https://cloud.google.com/storage/docs/xml-api/put-object-multipart>.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use futures_util::future::BoxFuture;
use http_body::Body;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{ClientOptions, HeaderValue};

/// Connects as `object_store` does, and adds the checksum.
#[derive(Debug, Default)]
pub(super) struct WithChecksum;

impl HttpConnector for WithChecksum {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Summing(ReqwestConnector::default().connect(options)?)))
    }
}

#[derive(Debug)]
struct Summing(HttpClient);

// Written as the macro `async_trait` would, which is no dependency of ours.
impl HttpService for Summing {
    fn call<'a, 'b>(&'a self, mut request: HttpRequest) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        if request.method().as_str() == "PUT"
            && let Some(value) = hash_of(request.body())
        {
            request.headers_mut().insert("x-goog-hash", value);
        }
        Box::pin(self.0.execute(request))
    }
}

/// `crc32c=` and the sum, or `None` for a body that is not in memory.
fn hash_of(body: &HttpRequestBody) -> Option<HeaderValue> {
    let mut body = body.clone();
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    loop {
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => digest.update(frame.data_ref()?),
            Poll::Ready(None) => break,
            Poll::Ready(Some(Err(_))) | Poll::Pending => return None,
        }
    }
    let sum = u32::try_from(digest.finalize()).ok()?;
    HeaderValue::from_str(&format!("crc32c={}", BASE64_STANDARD.encode(sum.to_be_bytes()))).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use object_store::PutPayload;

    use super::*;

    #[test]
    fn sums_are_those_of_the_documentation() {
        // <https://cloud.google.com/storage/docs/xml-api/reference-headers#xgooghash> has the sum of nothing as
        // AAAAAA==; that of 123456789 is the check value of CRC-32C, e3069283.
        let whole = Bytes::from_static(b"123456789");
        let parts = PutPayload::from_iter([whole.slice(..4), whole.slice(4..)]);
        for (body, expected) in [
            (HttpRequestBody::empty(), "crc32c=AAAAAA=="),
            (whole.into(), "crc32c=4waSgw=="),
            (parts.into(), "crc32c=4waSgw=="),
        ] {
            assert_eq!(hash_of(&body).unwrap(), expected);
        }
    }
}
