//! The list of tenants: one small object of text. `docs/formats/manifest.md`, section "Tenants".

use std::collections::BTreeSet;
use std::sync::Arc;

use spanloom_span::Tenant;
use xxhash_rust::xxh3::xxh3_64;

use super::names::TENANTS_PATH;
use super::store::{Catalog, CatalogError};
use crate::objects::{Got, StoreError, Swapped, Version};

/// First line of the list.
const TITLE: &str = "spanloom tenants 1";

/// Before the checksum in the last line.
const SUM: &str = "xxh3 ";

/// The tenants that have blocks, or had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantsList(BTreeSet<Tenant>);

/// Why bytes are no list of tenants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantsError {
    /// It is something else, or of a later version.
    #[error("it begins with {0:?}, expected {TITLE:?}")]
    NotOne(String),
    /// It is not what was written.
    #[error("its last line is {found:?}, expected {expected:?}")]
    Checksum {
        /// What it is.
        found: String,
        /// What was computed.
        expected: String,
    },
    /// A line is no tenant's name, or not in its place.
    #[error("the line {0:?} is no tenant's name, or not in its place")]
    Line(String),
}

impl TenantsList {
    /// Whether the tenant is in it.
    pub fn contains(&self, tenant: &Tenant) -> bool {
        self.0.contains(tenant)
    }

    /// All tenants, ascending.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.0.iter()
    }

    /// How many tenants.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{TITLE}\n");
        for tenant in &self.0 {
            text.push_str(tenant.as_str());
            text.push('\n');
        }
        text.push_str(&sum_line(&text));
        text.into_bytes()
    }

    /// Reads a list.
    pub fn decode(bytes: &[u8]) -> Result<Self, TenantsError> {
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned();
        let not_one = || TenantsError::NotOne(shown(bytes));
        let text = std::str::from_utf8(bytes).map_err(|_| not_one())?;
        let lines = text.strip_prefix(TITLE).and_then(|rest| rest.strip_prefix('\n')).ok_or_else(not_one)?;
        let last = text.trim_end_matches('\n').rfind('\n').map_or(text.len(), |end| end + 1);
        let (body, found) = text.split_at(last);
        let expected = sum_line(body);
        if found != expected {
            return Err(TenantsError::Checksum { found: shown(found.as_bytes()), expected });
        }
        let mut tenants = BTreeSet::new();
        for line in lines[..lines.len() - found.len()].lines() {
            let tenant =
                Tenant::new(line).ok().filter(|tenant| tenants.last().is_none_or(|last| last < tenant));
            tenants.insert(tenant.ok_or_else(|| TenantsError::Line(shown(line.as_bytes())))?);
        }
        Ok(Self(tenants))
    }
}

impl FromIterator<Tenant> for TenantsList {
    fn from_iter<I: IntoIterator<Item = Tenant>>(tenants: I) -> Self {
        Self(tenants.into_iter().collect())
    }
}

fn sum_line(text: &str) -> String {
    format!("{SUM}{:016x}\n", xxh3_64(text.as_bytes()))
}

impl Catalog {
    /// The tenants that have blocks, or had. One small request, which brings no bytes when nothing has changed.
    pub async fn tenants(&self) -> Result<Arc<TenantsList>, CatalogError> {
        match self.find_tenants().await? {
            Some((_, list)) => Ok(list),
            None if self.tenants.lock().is_some() => Err(CatalogError::TenantsLost),
            None => Ok(Arc::default()),
        }
    }

    /// Makes the list of tenants anew, from the folders of the store; for a list that was lost or damaged.
    pub async fn rebuild_tenants(&self) -> Result<Arc<TenantsList>, CatalogError> {
        for attempt in 0..Self::TRIES {
            self.pause(attempt).await;
            let there = self.objects.get(TENANTS_PATH, None).await?;
            let expected = match &there {
                Got::Object(_, version) => Some(version),
                Got::Absent | Got::Unchanged => None,
            };
            let mut list = self.list_tenants().await?;
            if let Got::Object(bytes, _) = &there
                && let Ok(known) = TenantsList::decode(bytes)
            {
                list.0.extend(known.0);
            }
            if let Some(list) = self.swap_tenants(list, expected).await? {
                return Ok(list);
            }
        }
        Err(Self::contended(TENANTS_PATH))
    }

    /// Brings a tenant into the list, once a process.
    pub(super) async fn register(&self, tenant: &Tenant) -> Result<(), CatalogError> {
        if self.registered.lock().contains(tenant) {
            return Ok(());
        }
        for attempt in 0..Self::TRIES {
            self.pause(attempt).await;
            let found = self.find_tenants().await?;
            let done = match &found {
                Some((_, list)) if list.contains(tenant) => true,
                Some((version, list)) => {
                    let mut more = TenantsList::clone(list);
                    more.0.insert(tenant.clone());
                    self.swap_tenants(more, Some(version)).await?.is_some()
                }
                // Before the first tenant, or lost: the folders say which.
                None => {
                    let mut list = self.list_tenants().await?;
                    list.0.insert(tenant.clone());
                    self.swap_tenants(list, None).await?.is_some()
                }
            };
            if done {
                self.registered.lock().insert(tenant.clone());
                return Ok(());
            }
        }
        Err(Self::contended(TENANTS_PATH))
    }

    /// Yields nothing when another writer came first or it is not known what became of it.
    async fn swap_tenants(
        &self,
        list: TenantsList,
        expected: Option<&Version>,
    ) -> Result<Option<Arc<TenantsList>>, CatalogError> {
        match self.objects.swap(TENANTS_PATH, list.encode().into(), expected).await {
            Ok(Swapped::Done(version)) => {
                let list = Arc::new(list);
                *self.tenants.lock() = Some((version, list.clone()));
                Ok(Some(list))
            }
            Ok(Swapped::Conflict) | Err(StoreError::Failed { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn list_tenants(&self) -> Result<TenantsList, CatalogError> {
        let folders = self.objects.folders("").await?;
        Ok(folders.iter().filter_map(|name| Tenant::new(name).ok()).collect())
    }

    async fn find_tenants(&self) -> Result<Option<(Version, Arc<TenantsList>)>, CatalogError> {
        let known = self.tenants.lock().clone();
        let unless = known.as_ref().map(|(version, _)| version);
        match (self.objects.get(TENANTS_PATH, unless).await?, known) {
            (Got::Unchanged, known) => Ok(known),
            (Got::Absent, _) => Ok(None),
            (Got::Object(bytes, version), _) => {
                let found = (version, Arc::new(TenantsList::decode(&bytes)?));
                *self.tenants.lock() = Some(found.clone());
                Ok(Some(found))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> TenantsList {
        names.iter().map(|name| Tenant::new(name).unwrap()).collect()
    }

    #[test]
    fn a_list_reads_as_it_was_written() {
        for names in [&[][..], &["a"], &["b", "a", "xxh3"]] {
            assert_eq!(TenantsList::decode(&list(names).encode()), Ok(list(names)));
        }
        let text = String::from_utf8(list(&["team-2", "team-1"]).encode()).unwrap();
        assert_eq!(text, "spanloom tenants 1\nteam-1\nteam-2\nxxh3 aaec766fb9905d8d\n");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = list(&["team-1", "team-2"]).encode();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(TenantsList::decode(&bad).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(TenantsList::decode(&bytes[..len]).is_err(), "{len} bytes");
        }
        assert!(TenantsList::decode(&[&bytes[..], b"\n"].concat()).is_err());
    }

    #[test]
    fn names_that_are_none_or_out_of_order_are_refused() {
        for lines in ["a/b\n", "b\na\n", "a\na\n", "\n"] {
            let body = format!("{TITLE}\n{lines}");
            let bad = format!("{body}{}", sum_line(&body));
            assert!(matches!(TenantsList::decode(bad.as_bytes()), Err(TenantsError::Line(_))), "{lines:?}");
        }
    }
}
