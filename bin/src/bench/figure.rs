use serde::Serialize;

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The number; the median where there were repeats.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// What it is to be compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// A yardstick of the same run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Against {
    /// What was measured.
    pub name: String,
    /// The figure divided by the yardstick, or by the target where that is fixed.
    pub ratio: f64,
    /// What the ratio should be.
    pub target: Target,
}

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

impl Figure {
    /// A number by itself.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            against: None,
        }
    }

    /// The number beside what it is divided by.
    #[must_use]
    pub fn against(mut self, name: impl Into<String>, yardstick: f64, target: Target) -> Self {
        let ratio = self.value / yardstick;
        self.against = Some(Against {
            name: name.into(),
            ratio,
            target,
        });
        self
    }
}

impl Target {
    /// Whether a ratio is what it should be.
    pub fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }
}

/// The median of each figure over several runs of one suite.
pub(super) fn medians(runs: Vec<Vec<Figure>>) -> Vec<Figure> {
    let mut runs = runs.into_iter();
    let mut figures = runs.next().unwrap_or_default();
    let others: Vec<_> = runs.collect();
    for (at, figure) in figures.iter_mut().enumerate() {
        let same = || others.iter().filter_map(|run| run.get(at));
        figure.value = median(same().map(|other| other.value).chain([figure.value]));
        if let Some(against) = &mut figure.against {
            let ratios = same()
                .filter_map(|other| other.against.as_ref())
                .map(|a| a.ratio);
            against.ratio = median(ratios.chain([against.ratio]));
        }
    }
    figures
}

/// The middle one of the values.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    percentile(&mut values.collect::<Vec<_>>(), 0.5)
}

/// The value below which `share` of the values lie.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
