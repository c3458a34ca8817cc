//! Which objects are deleted, which entries are forgotten, and which objects nobody lists.

use std::time::Duration;

use spanloom_block::BlockId;
use spanloom_span::Tenant;

use crate::catalog::manifest::{Gone, Manifest};
use crate::catalog::names::ObjectName;
use crate::catalog::store::after;
use crate::objects::Found;

/// Blocks that have been gone for so long that no reader uses them: their objects are to be deleted. Those that went
/// first come first.
pub fn due(gone: &[Gone], now: u64, grace: Duration) -> Vec<Gone> {
    let mut due: Vec<Gone> =
        gone.iter().filter(|gone| gone.deleted == 0 && after(gone.since, grace) <= now).copied().collect();
    due.sort_by_key(|gone| (gone.since, gone.id));
    due
}

/// Blocks that were deleted so long ago that nobody is about to delete them once more: their entries may be forgotten.
pub fn forgettable(gone: &[Gone], now: u64, grace: Duration) -> Vec<BlockId> {
    let old = |gone: &&Gone| gone.deleted != 0 && after(gone.deleted, grace) <= now;
    gone.iter().filter(old).map(|gone| gone.id).collect()
}

/// Objects of the tenant's folder that nobody lists and that were not written lately: blocks and temporary files of
/// dead workers. What is not named as ours is left alone, and so are blocks that could not be read.
pub fn orphans(
    tenant: &Tenant,
    listing: &[Found],
    manifest: &Manifest,
    now: u64,
    orphan_after: Duration,
) -> Vec<(ObjectName, Found)> {
    let unlisted =
        |id: BlockId| manifest.block(id).is_none() && manifest.gone(id).is_none() && !manifest.is_aside(id);
    let of = |object: &Found| {
        let name = ObjectName::of(tenant, &object.path);
        let ours = match name {
            ObjectName::Block(id) => unlisted(id),
            ObjectName::Temporary => true,
            ObjectName::Manifest | ObjectName::Damaged(_) | ObjectName::Other => false,
        };
        (ours && after(object.modified, orphan_after) <= now).then(|| (name, object.clone()))
    };
    let mut orphans: Vec<(ObjectName, Found)> = listing.iter().filter_map(of).collect();
    orphans.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path));
    orphans
}
