//! What of the work on a shared store is this node's.

use spanloom_bucket::catalog::plan::Job;
use spanloom_span::Tenant;

/// Whether this node does a job that one of several nodes does for all, by the job's key.
pub type OwnsJob = Box<dyn Fn(u64) -> bool + Send + Sync>;

/// How nodes share the work on a store. What two of them do at the same time is done once, and the other's work is in
/// vain; so nothing depends on them agreeing.
#[derive(Default)]
pub struct Share(Option<OwnsJob>);

impl Share {
    /// This node does what the function says.
    pub fn new(owns: OwnsJob) -> Self {
        Self(Some(owns))
    }

    /// Whether to join these blocks.
    pub(crate) fn has_job(&self, tenant: &Tenant, job: &Job) -> bool {
        self.0.as_ref().is_none_or(|owns| owns(job.key(tenant)))
    }

    /// Whether to retire and delete a tenant's blocks, and to look for forgotten ones.
    pub(crate) fn has_tenant(&self, tenant: &Tenant) -> bool {
        self.0.as_ref().is_none_or(|owns| owns(Job::key_of_tenant(tenant)))
    }
}
