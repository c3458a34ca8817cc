//! Why a load could not be run. What went wrong with single requests is counted in the report instead.

/// Why a load was not run, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target is not `host:port`; nothing was sent.
    #[error("the target is {found:?}, expected host:port")]
    Endpoint {
        /// What was given.
        found: String,
    },
    /// The target is another machine; nothing was sent.
    #[error("the target {found} is not this machine, expected a loopback address or --allow-remote")]
    Remote {
        /// What was given.
        found: String,
    },
    /// A rate of nothing would never end; nothing was sent.
    #[error("the rate is 0, expected at least 1 span a second")]
    ZeroRate,
    /// The server could not be reached at the start; nothing was sent.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// Host and port.
        target: String,
        /// Why.
        source: std::io::Error,
    },
    /// A header's value is not allowed, such as a tenant with a line break; nothing was sent.
    #[error("the tenant is {found:?}, expected a text that can be a header's value")]
    Tenant {
        /// What was given.
        found: String,
    },
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The generator's thread ended early: a defect of this program.
    #[error("the generator stopped unexpectedly")]
    Generator,
}
