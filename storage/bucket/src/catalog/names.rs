//! What objects are called: `docs/formats/manifest.md`, section "The store".

use spanloom_block::BlockId;
use spanloom_span::Tenant;

/// The list of tenants.
pub const TENANTS_PATH: &str = "tenants";

/// Where a tenant's block is.
pub fn block_path(tenant: &Tenant, id: BlockId) -> String {
    format!("{tenant}/{id}.block")
}

/// Where a tenant's manifest is.
pub fn manifest_path(tenant: &Tenant) -> String {
    format!("{tenant}/manifest")
}

/// Where a tenant's damaged manifest is kept.
pub fn damaged_path(tenant: &Tenant, number: u64) -> String {
    format!("{tenant}/manifest.damaged-{number}")
}

/// What an object in a tenant's folder is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectName {
    /// A block.
    Block(BlockId),
    /// A block that was being written, by a store that writes aside and renames.
    Temporary,
    /// The manifest.
    Manifest,
    /// A manifest that was damaged and is kept.
    Damaged(u64),
    /// None of ours.
    Other,
}

impl ObjectName {
    /// What the object at a path is, if it lies in the tenant's folder.
    pub fn of(tenant: &Tenant, path: &str) -> Self {
        let name = path.strip_prefix(tenant.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let Some(name) = name else { return Self::Other };
        if name == "manifest" {
            return Self::Manifest;
        }
        if let Some(number) = name.strip_prefix("manifest.damaged-") {
            return number.parse().map_or(Self::Other, Self::Damaged);
        }
        // Names are read as they are written: others, though they be read as ids, are none of ours.
        let block = |name: &str| {
            let id: BlockId = name.strip_suffix(".block")?.parse().ok()?;
            (format!("{id}.block") == name).then_some(id)
        };
        if let Some(id) = block(name) {
            return Self::Block(id);
        }
        match name.strip_suffix(".tmp").and_then(block) {
            Some(_) => Self::Temporary,
            None => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let tenant = Tenant::new("team-1").unwrap();
        let id = BlockId { created: 0x18a5_b2c3_d4e5_f607, number: 0xff };
        let check = |path: &str, expected| assert_eq!(ObjectName::of(&tenant, path), expected, "{path}");
        check(&block_path(&tenant, id), ObjectName::Block(id));
        check(&format!("{}.tmp", block_path(&tenant, id)), ObjectName::Temporary);
        check(&manifest_path(&tenant), ObjectName::Manifest);
        check(&damaged_path(&tenant, 3), ObjectName::Damaged(3));
        for other in [
            "team-1",
            "team-1/",
            "team-1/x.block",
            "team-1/18a5b2c3d4e5f607-00ff.block",
            "team-1/x/18a5b2c3d4e5f607-00000000000000ff.block",
            "team-10/18a5b2c3d4e5f607-00000000000000ff.block",
            "18a5b2c3d4e5f607-00000000000000ff.block",
            "team-1/18a5b2c3d4e5f607-00000000000000ff.block.aside",
            "team-1/18a5b2c3d4e5f607-00000000000000ff",
            "team-1/manifest2",
            "team-1/manifest.damaged-x",
            "team-1/note.tmp",
        ] {
            check(other, ObjectName::Other);
        }
    }
}
