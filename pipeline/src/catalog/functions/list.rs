//! Functions over nested lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, PrimitiveArray, UInt64Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::UInt64Type;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err};

pub fn first_non_null(lists: &ArrayRef) -> Result<ArrayRef> {
    let lists = lists.as_list::<i32>();
    let values = lists.values();
    let offsets = lists.value_offsets();
    let positions: PrimitiveArray<UInt64Type> = (0..lists.len())
        .map(|row| {
            if lists.is_null(row) {
                return None;
            }
            (offsets[row] as usize..offsets[row + 1] as usize)
                .find(|&item| values.is_valid(item))
                .map(|item| item as u64)
        })
        .collect();
    Ok(take(values, &positions, None)?)
}

/// Each list reordered by the list of keys beside it: ascending, nulls last at every level, stable.
pub fn sort_by(lists: &ArrayRef, keys: &ArrayRef) -> Result<ArrayRef> {
    let lists = lists.as_list::<i32>();
    let keys = keys.as_list::<i32>();
    let options = SortOptions {
        descending: false,
        nulls_first: false,
    };
    let field = SortField::new_with_options(keys.values().data_type().clone(), options);
    let rows = RowConverter::new(vec![field])?.convert_columns(&[keys.values().clone()])?;
    let mut order: Vec<u64> = Vec::with_capacity(lists.values().len());
    let mut offsets: Vec<i32> = vec![0];
    for row in 0..lists.len() {
        if lists.is_valid(row) {
            let first = lists.value_offsets()[row] as usize;
            let count = lists.value_length(row) as usize;
            let first_key = keys.value_offsets()[row] as usize;
            if keys.is_null(row) || keys.value_length(row) as usize != count {
                return exec_err!("list_sort_by: a list and its keys differ in length");
            }
            let mut positions: Vec<usize> = (0..count).collect();
            positions.sort_by(|a, b| rows.row(first_key + a).cmp(&rows.row(first_key + b)));
            order.extend(positions.into_iter().map(|at| (first + at) as u64));
        }
        offsets.push(order.len() as i32);
    }
    let values = take(lists.values(), &UInt64Array::from(order), None)?;
    let arrow::datatypes::DataType::List(item) = lists.data_type() else {
        return exec_err!("list_sort_by: expected a list");
    };
    Ok(Arc::new(ListArray::try_new(
        item.clone(),
        arrow::buffer::OffsetBuffer::new(offsets.into()),
        values,
        lists.nulls().cloned(),
    )?))
}
