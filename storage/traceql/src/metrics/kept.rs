//! The series of a leaf within limits: as they are made, the first ones stay and no more are made.

use spanloom_span::model::AnyValue;

use crate::answer::Series;

/// About how many bytes a sample takes in an answer as text, the longest form that answers have.
const SAMPLE_BYTES: usize = 64;

/// The same for an exemplar.
const EXEMPLAR_BYTES: usize = 160;

/// The same for a label, beside its name and value.
const LABEL_BYTES: usize = 64;

/// Which limit left series out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// There are more than [`Limits::max_series`](super::Limits::max_series).
    Series,
    /// They take more than [`Limits::max_bytes`](super::Limits::max_bytes).
    Bytes,
}

/// Series that stay.
pub(super) struct Kept {
    pub series: Vec<Series>,
    /// Why others did not.
    pub cut: Option<Cut>,
    most: usize,
    bytes: usize,
}

impl Kept {
    /// Room for so many series, of about so many bytes as text.
    pub fn new(most: usize, bytes: usize) -> Self {
        Self { series: Vec::new(), cut: None, most, bytes }
    }

    /// Whether there is no room for another series.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Takes the next one, if there is room for it and there was for all before.
    pub fn put(&mut self, series: Series) {
        let bytes = bytes_of(&series);
        match () {
            () if self.is_cut() => {}
            () if self.series.len() >= self.most => self.cut = Some(Cut::Series),
            () if bytes > self.bytes => self.cut = Some(Cut::Bytes),
            () => {
                self.bytes -= bytes;
                self.series.push(series);
            }
        }
    }
}

fn bytes_of(series: &Series) -> usize {
    let label = |(name, value): &(String, AnyValue)| {
        let value = match value {
            AnyValue::Str(text) => text.len(),
            AnyValue::Array(values) => values.len() * SAMPLE_BYTES,
            _ => 0,
        };
        LABEL_BYTES + name.len() + value
    };
    let labels: usize = series.labels.iter().map(label).sum();
    labels + series.samples.len() * SAMPLE_BYTES + series.exemplars.len() * EXEMPLAR_BYTES
}
