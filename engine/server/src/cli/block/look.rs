//! `spanloom block list`, `inspect`, `verify`.

use std::fmt::Write;
use std::process::ExitCode;

use spanloom_block::Block;

use super::super::say;
use super::which::{Blocks, Found, OpenError, Place, Which};

pub(super) const LIST_EXAMPLES: &str = "Examples:
  spanloom block list                               blocks of ./spanloom-data
  spanloom block list --data-dir /var/lib/spanloom --tenant team-a
  spanloom block list --config spanloom.yaml        blocks of the store that the configuration names";

pub(super) const INSPECT_EXAMPLES: &str = "Examples:
  spanloom block inspect spanloom-data/blocks/single-tenant/*.block
  spanloom block inspect --config spanloom.yaml 18a5b2c3d4e5f607-00000000000000ff";

pub(super) const VERIFY_EXAMPLES: &str = "Examples:
  spanloom block verify                             every block of ./spanloom-data
  spanloom block verify --config spanloom.yaml      every block of the store, copied to TMPDIR one by one
  spanloom block verify --config spanloom.yaml team-a/18a5b2c3d4e5f607-00000000000000ff";

/// Writes what there is to say of one block; says whether it is good. Writing to a string cannot fail, so what
/// `writeln!` yields is let go in all of them.
type Each = fn(&Blocks, &Found, &mut String) -> Result<bool, OpenError>;

pub(super) fn list(which: Which) -> ExitCode {
    let head =
        format!("{:>10} {:>10} {:>12} {:>7}  {:<20} file\n", "traces", "spans", "bytes", "B/span", "tenant");
    each(which, &head, |blocks, found, out| {
        let (traces, spans, bytes, tenant) = match &found.place {
            Place::Store(tenant, entry) => (entry.traces, entry.spans, entry.bytes, tenant.clone()),
            Place::File(..) => {
                let Some(block) = blocks.open_far(found)? else { return Ok(true) };
                let meta = block.meta();
                (meta.traces, meta.spans, meta.file_bytes, meta.tenant.clone())
            }
        };
        let (each, tenant) = (bytes as f64 / spans.max(1) as f64, tenant.as_str());
        let _ =
            writeln!(out, "{traces:>10} {spans:>10} {bytes:>12} {each:>7.1}  {tenant:<20} {}", found.name);
        Ok(true)
    })
}

pub(super) fn inspect(which: Which) -> ExitCode {
    each(which, "", |blocks, found, out| {
        let Some(block) = blocks.open_far(found)? else { return Ok(true) };
        let inspection = block.bring_metadata().and_then(|()| block.inspect());
        let _ = match &inspection {
            Ok(inspection) => writeln!(out, "{}\n{inspection}", found.name),
            Err(error) => writeln!(out, "{}: {error}", found.name),
        };
        Ok(inspection.is_ok())
    })
}

pub(super) fn verify(which: Which) -> ExitCode {
    each(which, "", |blocks, found, out| {
        let Some(block) = blocks.open(found, &std::env::temp_dir())? else { return Ok(true) };
        let wrong = unlike_its_entry(found, &block);
        let verified = block.verify();
        let _ = match (&verified, &wrong) {
            (Ok(report), None) => writeln!(
                out,
                "{}: good: {} sections, {} traces, {} spans, {} values read",
                found.name, report.sections, report.traces, report.spans, report.values
            ),
            (Ok(_), Some(wrong)) => writeln!(out, "{}: {wrong}", found.name),
            (Err(error), _) => writeln!(out, "{}: {error}", found.name),
        };
        Ok(verified.is_ok() && wrong.is_none())
    })
}

/// What the store's list says of a block otherwise than the block itself.
fn unlike_its_entry(found: &Found, block: &Block) -> Option<String> {
    let Place::Store(tenant, entry) = &found.place else { return None };
    let meta = block.meta();
    let said = (tenant.as_str(), entry.bytes, entry.traces, entry.spans);
    let is = (meta.tenant.as_str(), meta.file_bytes, meta.traces, meta.spans);
    let text = |(tenant, bytes, traces, spans): (&str, u64, u64, u64)| {
        format!("{bytes} bytes with {traces} traces and {spans} spans of tenant {tenant}")
    };
    (said != is).then(|| format!("the block has {}, its manifest says {}", text(is), text(said)))
}

fn each(which: Which, head: &str, each: Each) -> ExitCode {
    let blocks = match which.find() {
        Ok(blocks) => blocks,
        Err(error) => return say::failed(error),
    };
    say::out(head);
    let mut good = true;
    for found in &blocks.found {
        let mut out = String::new();
        match each(&blocks, found, &mut out) {
            Ok(is_good) => good &= is_good,
            Err(error) => {
                good = false;
                out = format!("{}: {error}\n", found.name);
            }
        }
        say::out(&out);
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
