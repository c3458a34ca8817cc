//! Removing what is kept no longer.

use std::sync::Arc;

use spanloom_bucket::Bucket;
use spanloom_bucket::catalog::Manifest;
use spanloom_bucket::catalog::plan::{self, Retired};
use spanloom_span::Tenant;

use crate::compact::CompactError;
use crate::options::UpkeepOptions;

/// The blocks of each tenant that are to go, by the rules.
pub(crate) fn plan(
    options: &UpkeepOptions,
    manifests: &[(Tenant, Arc<Manifest>)],
    now: u64,
    free: Option<u64>,
) -> Vec<(Tenant, Vec<Retired>)> {
    let rules = |tenant: &Tenant| options.retention_of.get(tenant).unwrap_or(&options.retention);
    let mut out: Vec<(Tenant, Vec<Retired>)> = manifests
        .iter()
        .map(|(tenant, manifest)| (tenant.clone(), plan::retention(manifest, now, rules(tenant), None)))
        .collect();
    let Some(free) = free.filter(|_| options.min_free_disk > 0) else { return out };
    // The disk is everybody's: the oldest blocks of all tenants go.
    let retired = out.iter().flat_map(|(_, retired)| retired).map(|retired| retired.bytes);
    let free = retired.fold(free, u64::saturating_add);
    let manifests: Vec<&Manifest> = manifests.iter().map(|(_, manifest)| &**manifest).collect();
    for (at, retired) in plan::free_disk(&manifests, free, options.min_free_disk) {
        let (_, of_tenant) = &mut out[at];
        if of_tenant.iter().all(|known| known.id != retired.id) {
            of_tenant.push(retired);
        }
    }
    out
}

/// Removes blocks.
pub(crate) async fn retire(
    bucket: &Bucket,
    tenant: &Tenant,
    retired: &[Retired],
) -> Result<(), CompactError> {
    match bucket.remote() {
        Some(remote) => {
            remote.steps().retire(tenant, retired).await?;
            bucket.poll(tenant).await?;
        }
        None => {
            let ids: Vec<_> = retired.iter().map(|retired| retired.id).collect();
            bucket.remove(tenant, &ids)?;
        }
    }
    Ok(())
}
