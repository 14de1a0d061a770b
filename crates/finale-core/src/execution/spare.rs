//! Storage that is kept to be used again.

/// A box that is of no meaning but that it need not be allocated again: whether there is one changes no comparison.
#[derive(Clone, Debug)]
pub(super) struct Spare<T>(Option<T>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> PartialEq for Spare<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl<T> Spare<Box<T>> {
    pub(super) fn keep(&mut self, storage: Option<Box<T>>) {
        if storage.is_some() {
            self.0 = storage;
        }
    }

    /// A box with this in it: the one that was kept, if there is one.
    pub(super) fn boxed(&mut self, value: T) -> Box<T> {
        match self.0.take() {
            Some(mut storage) => {
                *storage = value;
                storage
            }
            None => Box::new(value),
        }
    }
}
