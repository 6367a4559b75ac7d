//! What functions' results take out of the queries' memory, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayData, ArrayRef, make_array};
use arrow::buffer::Buffer;
use bytes::Bytes;
use datafusion::common::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

/// A query's share of the memory pool, for what its functions make.
///
/// The engine counts the memory of its operators, not that of the batches between them. A function that makes much out
/// of little would escape the limit, so its results are counted for as long as they live.
#[derive(Debug)]
pub(crate) struct Budget {
    pool: Arc<dyn MemoryPool>,
    planning: AtomicBool,
}

impl Budget {
    /// The budget of a query that is being planned.
    pub(crate) fn new(pool: Arc<dyn MemoryPool>) -> Self {
        Self {
            pool,
            planning: AtomicBool::new(true),
        }
    }

    /// Planning is over: from now on functions work on rows.
    pub(crate) fn start_running(&self) {
        self.planning.store(false, Ordering::Release);
    }

    /// Whether calls are made only to fold constants.
    pub(super) fn is_planning(&self) -> bool {
        self.planning.load(Ordering::Acquire)
    }

    /// Takes memory before it is used.
    ///
    /// # Errors
    ///
    /// The pool's, when the queries' memory does not suffice.
    pub(super) fn take(&self, bytes: usize) -> Result<MemoryReservation> {
        let reservation = MemoryConsumer::new("functions").register(&self.pool);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }
}

/// The same array, giving its memory back to the pool when it goes.
pub(super) fn hold(array: &ArrayRef, reservation: MemoryReservation) -> Result<ArrayRef> {
    reservation.try_resize(array.get_array_memory_size())?;
    let data = hold_data(array.to_data(), &Arc::new(reservation))?;
    Ok(make_array(data))
}

fn hold_data(data: ArrayData, reservation: &Arc<MemoryReservation>) -> Result<ArrayData> {
    let buffers = data
        .buffers()
        .iter()
        .map(|buffer| held(buffer, reservation))
        .collect();
    let children = data
        .child_data()
        .iter()
        .map(|child| hold_data(child.clone(), reservation))
        .collect::<Result<_>>()?;
    let builder = data.into_builder().buffers(buffers).child_data(children);
    Ok(builder.build()?)
}

fn held(buffer: &Buffer, reservation: &Arc<MemoryReservation>) -> Buffer {
    if buffer.is_empty() {
        // An empty owner has no address to be aligned at.
        return buffer.clone();
    }
    Buffer::from(Bytes::from_owner(Held {
        buffer: buffer.clone(),
        _reservation: reservation.clone(),
    }))
}

/// A buffer together with what was reserved for it.
struct Held {
    buffer: Buffer,
    _reservation: Arc<MemoryReservation>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};

    use super::{Budget, hold};

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(1 << 20))
    }

    #[test]
    fn memory_is_counted_while_a_slice_of_the_result_lives() {
        let pool = pool();
        let budget = Budget::new(pool.clone());
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a".repeat(1000), "b".to_owned()]));
        let held = hold(&text, budget.take(10).unwrap()).unwrap();
        assert_eq!(&held, &text);
        assert!(pool.reserved() >= 1001, "{}", pool.reserved());
        let slice = held.slice(1, 1);
        drop(held);
        assert!(pool.reserved() >= 1001, "{}", pool.reserved());
        assert_eq!(slice.as_string::<i32>().value(0), "b");
        drop(slice);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn lists_are_held_with_their_items() {
        let pool = pool();
        let items = vec![Some(vec![Some(1), None]), None, Some(vec![])];
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(items));
        let held = hold(&list, Budget::new(pool.clone()).take(1).unwrap()).unwrap();
        assert_eq!(&held, &list);
        let inner = held.as_list::<i32>().values().clone();
        drop(held);
        assert!(pool.reserved() > 0);
        drop(inner);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn more_than_the_pool_holds_is_refused() {
        assert!(Budget::new(pool()).take(2 << 20).is_err());
    }
}
