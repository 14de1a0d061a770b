//! Which shapes and contenders are measured.

use std::str::FromStr;

use crate::contender::{BoxError, Contender, names};
use crate::shape::Shape;

/// A list of names, those of shapes and of contenders mixed: whatever no name is given of takes part as a whole.
#[derive(Clone, Debug, Default)]
pub struct Only {
    shapes: Vec<&'static str>,
    contenders: Vec<&'static str>,
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut only = Self::default();
        let shapes: Vec<_> = Shape::all().iter().map(|shape| shape.name).collect();
        for name in text.split(',').map(str::trim) {
            if let Some(shape) = shapes.iter().find(|known| **known == name) {
                only.shapes.push(shape);
            } else if let Some(contender) = names::ALL.iter().find(|known| **known == name) {
                only.contenders.push(contender);
            } else {
                let known: Vec<_> = shapes.into_iter().chain(names::ALL).collect();
                return Err(format!("nothing is called `{name}`; there are {}", known.join(", ")));
            }
        }
        Ok(only)
    }
}

impl Only {
    /// Whether that shape is measured.
    pub fn shape(&self, name: &str) -> bool {
        self.shapes.is_empty() || self.shapes.contains(&name)
    }

    /// Whether that contender takes part.
    pub fn contender(&self, name: &str) -> bool {
        self.contenders.is_empty() || self.contenders.contains(&name)
    }

    /// The shapes that are measured, in the order of reports.
    pub fn shapes(&self) -> Vec<Shape> {
        Shape::all().into_iter().filter(|shape| self.shape(shape.name)).collect()
    }

    /// The contenders that take part, in the order of reports; the others are not even started.
    pub fn contenders(&self) -> Result<Vec<Box<dyn Contender>>, BoxError> {
        let named = names::ALL.iter().filter(|name| self.contender(name));
        let contenders = named.map(|name| crate::contender::by_name(name)).collect::<Result<Vec<_>, _>>()?;
        Ok(contenders.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_contenders_are_told_apart() {
        let only: Only = "single,finale-2,hand-loop".parse().unwrap();
        assert!(only.shape("single") && !only.shape("chain-10"));
        assert!(only.contender("finale-2") && only.contender("hand-loop") && !only.contender("finale-1"));
        let only: Only = "chain-10".parse().unwrap();
        assert!(only.contender("finale-1"), "no contender was named");
    }

    #[test]
    fn a_name_that_nothing_has_is_refused_with_those_that_there_are() {
        let refused = "singel".parse::<Only>().unwrap_err();
        assert!(refused.contains("single") && refused.contains("finale-current"), "{refused}");
    }

    #[test]
    fn every_contender_has_the_name_that_it_is_asked_for_by() {
        let contenders = Only::default().contenders().unwrap();
        let found: Vec<_> = contenders.iter().map(|contender| contender.name()).collect();
        assert_eq!(found, names::ALL);
    }
}
