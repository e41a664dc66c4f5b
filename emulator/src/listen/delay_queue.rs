//! The bytes in transit in one direction of a connection.

use std::{collections::VecDeque, time::Instant};

use bytes::{Buf, Bytes};

/// A queue of pieces that were sent and have not arrived, in order.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pieces: VecDeque<(Instant, Bytes)>,
    size: usize,
}

impl Flight {
    /// Sends a piece. It never arrives before its predecessor.
    pub(super) fn send(&mut self, piece: Bytes, arrival: Instant) {
        let arrival = self.pieces.back().map_or(arrival, |(before, _)| arrival.max(*before));
        self.size += piece.len();
        self.pieces.push_back((arrival, piece));
    }

    /// Returns the arrival time of the next piece.
    pub(super) fn next(&self) -> Option<Instant> {
        self.pieces.front().map(|(arrival, _)| *arrival)
    }

    /// Returns the next piece, if it has arrived by now.
    pub(super) fn arrived(&self, now: Instant) -> Option<&Bytes> {
        self.pieces.front().filter(|(arrival, _)| *arrival <= now).map(|(_, piece)| piece)
    }

    /// Removes this many bytes from the next piece, and the piece itself with its last byte.
    pub(super) fn take(&mut self, bytes: usize) {
        let Some((_, piece)) = self.pieces.front_mut() else { return };
        piece.advance(bytes);
        self.size -= bytes;
        if piece.is_empty() {
            self.pieces.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the number of bytes in transit.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_piece_arrives_at_its_time_and_not_before() {
        let (start, millisecond) = (Instant::now(), Duration::from_millis(1));
        let mut flight = Flight::default();
        flight.send(Bytes::from_static(b"ab"), start + millisecond * 5);
        assert_eq!(flight.arrived(start + millisecond * 4), None);
        assert_eq!(flight.next(), Some(start + millisecond * 5));
        assert_eq!(flight.arrived(start + millisecond * 5).map(|piece| &piece[..]), Some(&b"ab"[..]));
    }

    #[test]
    fn a_piece_never_overtakes_the_one_before_it() {
        let (start, millisecond) = (Instant::now(), Duration::from_millis(1));
        let mut flight = Flight::default();
        flight.send(Bytes::from_static(b"far"), start + millisecond * 50);
        flight.send(Bytes::from_static(b"near"), start + millisecond);
        flight.take(3);
        assert_eq!(flight.next(), Some(start + millisecond * 50));
    }

    #[test]
    fn pieces_may_be_taken_in_parts() {
        let now = Instant::now();
        let mut flight = Flight::default();
        flight.send(Bytes::from_static(b"abc"), now);
        flight.send(Bytes::from_static(b"d"), now);
        flight.take(2);
        assert_eq!((flight.arrived(now).map(|piece| &piece[..]), flight.size()), (Some(&b"c"[..]), 2));
        flight.take(1);
        flight.take(1);
        assert!(flight.is_empty());
    }
}
