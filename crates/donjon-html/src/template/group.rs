//! What `{% regroup %}` makes.

use std::sync::Arc;

use super::value::{Object, Value};

/// Neighbours with one key: Django's `GroupedResult`.
struct Group {
    grouper: Value,
    list: Value,
}

impl Object for Group {
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "grouper" => Some(self.grouper.clone()),
            "list" => Some(self.list.clone()),
            _ => None,
        }
    }

    fn display(&self) -> Value {
        format!("GroupedResult(grouper={:?}, list={:?})", self.grouper, self.list).into()
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(vec![self.grouper.clone(), self.list.clone()])
    }
}

/// Groups neighbours whose keys are equal.
pub(crate) fn groups(keyed: Vec<(Value, Value)>) -> Value {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((last, items)) if *last == key => items.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    let group = |(grouper, items): (Value, Vec<Value>)| {
        Value::Object(Arc::new(Group { grouper, list: items.into_iter().collect() }))
    };
    groups.into_iter().map(group).collect()
}
