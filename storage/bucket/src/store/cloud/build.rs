//! The clients of the clouds, from their configuration.

use std::sync::Arc;

use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::Certificate;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, RetryConfig, StaticCredentialProvider};

use super::Remote;
use super::checksum::WithChecksum;
use crate::store::config::{
    AzureConfig, AzureCredentials, GcsConfig, GcsCredentials, Limits, S3Checksum, S3Config, S3Credentials,
    S3Encryption, Transport,
};
use crate::store::secret::Secret;

/// A client, what it is called, and what it must not say.
pub(super) struct Built {
    pub remote: Arc<dyn Remote>,
    pub name: String,
    pub storage_class: Option<String>,
    pub secrets: Vec<Secret>,
}

/// Tries are counted by us, so that they are bounded for a call as a whole, and seen.
fn no_retry() -> RetryConfig {
    RetryConfig { max_retries: 0, backoff: BackoffConfig::default(), ..RetryConfig::default() }
}

/// How requests are sent. Their time is limited by us, since it depends on what they carry.
fn options(transport: &Transport, endpoint: Option<&str>, limits: &Limits) -> Result<ClientOptions, String> {
    // The process has one provider of cryptography; whoever came first chose it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = ClientOptions::new()
        .with_allow_http(transport.allow_http)
        .with_connect_timeout(limits.connect_timeout)
        .with_timeout_disabled();
    if let Some(path) = &transport.ca_file {
        let said = |error: &dyn std::fmt::Display| format!("the certificates in {}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| said(&error))?;
        for certificate in Certificate::from_pem_bundle(&pem).map_err(|error| said(&error))? {
            options = options.with_root_certificate(certificate);
        }
    } else if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        // Nothing is encrypted, so a system without certificates will do.
        options = options.with_no_system_certificates(true);
    }
    Ok(options)
}

pub(super) fn s3(config: &S3Config, limits: &Limits) -> Result<Built, String> {
    let mut secrets = Vec::new();
    let builder = match &config.credentials {
        None => AmazonS3Builder::from_env(),
        Some(S3Credentials::Anonymous) => AmazonS3Builder::new().with_skip_signature(true),
        Some(S3Credentials::Keys { id, secret, session_token }) => {
            secrets.push(secret.clone());
            let builder =
                AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret.reveal());
            match session_token {
                Some(token) => {
                    secrets.push(token.clone());
                    builder.with_token(token.reveal())
                }
                None => builder,
            }
        }
    };
    let endpoint = config.endpoint.as_deref().map(|url| url.trim_end_matches('/'));
    let mut builder = builder
        .with_bucket_name(&config.bucket)
        .with_virtual_hosted_style_request(!config.path_style)
        // One at a time: every store knows that, and S3 takes no money for it.
        .with_disable_bulk_delete(true)
        .with_retry(no_retry())
        .with_client_options(options(&config.transport, endpoint, limits)?);
    if let Some(endpoint) = endpoint {
        let hosted = if config.path_style { endpoint.to_owned() } else { in_host(endpoint, &config.bucket)? };
        builder = builder.with_endpoint(hosted);
    }
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    } else if builder.get_config_value(&AmazonS3ConfigKey::Region).is_none() {
        builder = builder.with_region(std::env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".into()));
    }
    builder = match config.checksum {
        S3Checksum::Sha256 => builder.with_checksum_algorithm(Checksum::SHA256),
        S3Checksum::Crc64 => builder.with_checksum_algorithm(Checksum::CRC64NVME),
        S3Checksum::None => builder,
    };
    let encrypted = encrypted(builder, &config.encryption, &mut secrets);
    let store = encrypted.and_then(AmazonS3Builder::build).map_err(|error| error.to_string())?;
    let host = endpoint.map_or(String::new(), |endpoint| format!(" at {endpoint}"));
    Ok(Built {
        remote: Arc::new(store),
        name: format!("s3 bucket {}{host}", config.bucket),
        storage_class: config.storage_class.clone(),
        secrets,
    })
}

fn encrypted(
    builder: AmazonS3Builder,
    encryption: &S3Encryption,
    secrets: &mut Vec<Secret>,
) -> Result<AmazonS3Builder, object_store::Error> {
    let kind: AmazonS3ConfigKey = "aws_server_side_encryption".parse()?;
    Ok(match encryption {
        S3Encryption::Bucket => builder,
        S3Encryption::S3 => builder.with_config(kind, "AES256"),
        S3Encryption::Kms(None) => builder.with_config(kind, "aws:kms"),
        S3Encryption::Kms(Some(id)) => builder.with_sse_kms_encryption(id),
        S3Encryption::Customer(key) => {
            secrets.push(key.clone());
            builder.with_ssec_encryption(key.reveal())
        }
    })
}

/// `https://host` with the bucket before the host's name.
fn in_host(endpoint: &str, bucket: &str) -> Result<String, String> {
    let (scheme, host) = endpoint
        .split_once("://")
        .ok_or_else(|| format!("the endpoint {endpoint:?}, expected https://host[:port]"))?;
    Ok(format!("{scheme}://{bucket}.{host}"))
}

pub(super) fn gcs(config: &GcsConfig, limits: &Limits) -> Result<Built, String> {
    let mut secrets = Vec::new();
    let builder = match &config.credentials {
        None => GoogleCloudStorageBuilder::from_env(),
        Some(GcsCredentials::Anonymous) => {
            // Some requests ask for a token though they need none.
            let none = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
            GoogleCloudStorageBuilder::new().with_credentials(Arc::new(none)).with_skip_signature(true)
        }
        Some(GcsCredentials::File(path)) => {
            GoogleCloudStorageBuilder::new().with_service_account_path(path.to_string_lossy())
        }
        Some(GcsCredentials::Key(key)) => {
            secrets.push(key.clone());
            GoogleCloudStorageBuilder::new().with_service_account_key(key.reveal())
        }
    };
    let endpoint = config.endpoint.as_deref().map(|url| url.trim_end_matches('/'));
    let mut builder = builder
        .with_bucket_name(&config.bucket)
        .with_http_connector(WithChecksum)
        .with_retry(no_retry())
        .with_client_options(options(&config.transport, endpoint, limits)?);
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    let host = endpoint.map_or(String::new(), |endpoint| format!(" at {endpoint}"));
    Ok(Built {
        remote: Arc::new(store),
        name: format!("gcs bucket {}{host}", config.bucket),
        storage_class: config.storage_class.clone(),
        secrets,
    })
}

/// Azurite's account and key, as its documentation has them.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub(super) fn azure(config: &AzureConfig, limits: &Limits) -> Result<Built, String> {
    let mut secrets = Vec::new();
    let (mut account, mut endpoint) = (config.account.clone(), config.endpoint.clone());
    let mut keep = |secret: &Secret| {
        secrets.push(secret.clone());
        secret.reveal().to_owned()
    };
    let builder = match &config.credentials {
        None => MicrosoftAzureBuilder::from_env(),
        Some(AzureCredentials::Key(key)) => MicrosoftAzureBuilder::new().with_access_key(keep(key)),
        Some(AzureCredentials::Sas(sas)) => {
            MicrosoftAzureBuilder::new().with_config(AzureConfigKey::SasKey, keep(sas))
        }
        Some(AzureCredentials::Client { tenant, client, secret }) => {
            MicrosoftAzureBuilder::new().with_client_secret_authorization(client, keep(secret), tenant)
        }
        Some(AzureCredentials::Emulator) => {
            account = EMULATOR_ACCOUNT.to_owned();
            endpoint = endpoint.or_else(|| Some(format!("http://127.0.0.1:10000/{EMULATOR_ACCOUNT}")));
            MicrosoftAzureBuilder::new().with_access_key(EMULATOR_KEY)
        }
    };
    let endpoint = endpoint.map(|url| url.trim_end_matches('/').to_owned());
    let mut builder = if account.is_empty() { builder } else { builder.with_account(&account) };
    builder = builder
        .with_container_name(&config.container)
        .with_retry(no_retry())
        .with_client_options(options(&config.transport, endpoint.as_deref(), limits)?);
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let store = builder.build().map_err(|error| error.to_string())?;
    let host = endpoint.map_or(String::new(), |endpoint| format!(" at {endpoint}"));
    Ok(Built {
        remote: Arc::new(store),
        name: format!("azure container {} of {account}{host}", config.container),
        storage_class: None,
        secrets,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_in_the_host_or_in_the_path() {
        assert_eq!(in_host("https://s3.example:9000", "b").unwrap(), "https://b.s3.example:9000");
        assert!(in_host("s3.example", "b").is_err());
    }

    #[test]
    fn every_configuration_gives_a_client_and_no_secret_in_its_name() {
        let limits = Limits::default();
        let key = |text: &str| Secret::new(text);
        let keys = S3Credentials::Keys {
            id: "id".into(),
            secret: key("hidden"),
            session_token: Some(key("hidden")),
        };
        for encryption in [
            S3Encryption::Bucket,
            S3Encryption::S3,
            S3Encryption::Kms(None),
            S3Encryption::Kms(Some("arn:x".into())),
            S3Encryption::Customer(key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")),
        ] {
            let config = S3Config {
                bucket: "b".into(),
                credentials: Some(keys.clone()),
                encryption,
                ..S3Config::default()
            };
            let built = s3(&config, &limits).unwrap();
            assert_eq!(built.name, "s3 bucket b");
            assert!(built.secrets.len() >= 2);
        }
        let client =
            AzureCredentials::Client { tenant: "t".into(), client: "c".into(), secret: key("hidden") };
        for credentials in
            [AzureCredentials::Key(key("aGlkZGVu")), AzureCredentials::Sas(key("sv=1&sig=hidden")), client]
        {
            let config = AzureConfig {
                account: "a".into(),
                container: "c".into(),
                credentials: Some(credentials),
                ..AzureConfig::default()
            };
            let built = azure(&config, &limits).unwrap();
            assert_eq!((built.name.as_str(), built.secrets.len()), ("azure container c of a", 1));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let limits = Limits::default();
        let transport = Transport { ca_file: Some("/nowhere/ca.pem".into()), ..Transport::default() };
        let config = S3Config { bucket: "b".into(), transport, ..S3Config::default() };
        let error = s3(&config, &limits).err().unwrap();
        assert!(error.contains("the certificates in /nowhere/ca.pem"), "{error}");
        let credentials = Some(GcsCredentials::Key(Secret::new("no json")));
        let config = GcsConfig { bucket: "b".into(), credentials, ..GcsConfig::default() };
        assert!(gcs(&config, &limits).is_err());
    }
}
