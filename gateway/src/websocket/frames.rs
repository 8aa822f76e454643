//! Where in the stream of WebSocket frames a reader stands.
//!
//! The WebSocket library does not tell whether its buffers hold part of a frame. Counting the
//! frames of the bytes that went into it does: at a boundary, with all complete messages taken
//! out, they are empty.

/// The longest frame header: two bytes, eight of length, four of mask (RFC 6455, section 5.2).
const LONGEST_HEADER: usize = 14;

/// Follows the frames of a byte stream without looking at their payload.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; LONGEST_HEADER],
    /// How many bytes of the header are there.
    have: usize,
    /// How many bytes of the payload are to come.
    rest: u64,
    /// Within a fragmented message.
    fragmented: bool,
    /// The largest payload so far.
    largest: u64,
}

impl Frames {
    /// Goes on over these bytes.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let step =
                    usize::try_from(self.rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                bytes = &bytes[step..];
                self.rest -= step as u64;
            } else {
                self.header[self.have] = bytes[0];
                self.have += 1;
                bytes = &bytes[1..];
                self.take_header();
            }
        }
    }

    fn take_header(&mut self) {
        if self.have < 2 {
            return;
        }
        let (extended, short) = match self.header[1] & 0x7f {
            126 => (2, 0),
            127 => (8, 0),
            short => (0, u64::from(short)),
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        if self.have < 2 + extended + mask {
            return;
        }
        self.rest = self.header[2..2 + extended]
            .iter()
            .fold(short, |length, byte| length << 8 | u64::from(*byte));
        self.largest = self.largest.max(self.rest);
        let is_data = self.header[0] & 0x08 == 0;
        if is_data {
            let is_last = self.header[0] & 0x80 != 0;
            self.fragmented = !is_last;
        }
        self.have = 0;
    }

    /// Between two messages, with no frame begun.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.rest == 0 && !self.fragmented
    }

    /// The largest payload since this was asked to forget.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// Forgets the largest payload.
    pub fn forget_largest(&mut self) {
        self.largest = 0;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A masked client frame.
    pub(crate) fn frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![opcode | if last { 0x80 } else { 0 }];
        match payload.len() {
            short @ 0..=125 => frame.push(0x80 | short as u8),
            medium @ 126..=65_535 => {
                frame.push(0x80 | 126);
                frame.extend((medium as u16).to_be_bytes());
            }
            long => {
                frame.push(0x80 | 127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        frame.extend(mask);
        frame.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        frame
    }

    #[test]
    fn a_boundary_is_where_a_message_ends() {
        for size in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let bytes = frame(1, true, &vec![b'x'; size]);
            let mut frames = Frames::default();
            for end in 1..bytes.len() {
                let mut part = Frames::default();
                if end < 20 || end + 3 > bytes.len() {
                    part.pass(&bytes[..end]);
                    assert!(!part.at_boundary(), "{size}: {end}");
                }
            }
            frames.pass(&bytes);
            assert!(frames.at_boundary(), "{size}");
            assert_eq!(frames.largest(), size as u64);
        }
    }

    #[test]
    fn a_fragmented_message_ends_with_its_last_fragment() {
        let mut frames = Frames::default();
        frames.pass(&frame(1, false, b"a"));
        assert!(!frames.at_boundary());
        frames.pass(&frame(9, true, b"ping between"));
        assert!(!frames.at_boundary());
        frames.pass(&frame(0, false, b"b"));
        assert!(!frames.at_boundary());
        frames.pass(&frame(0, true, b""));
        assert!(frames.at_boundary());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            sizes in proptest::collection::vec(0_usize..300, 1..6),
            piece in 1_usize..50,
            extra in any::<bool>(),
        ) {
            let mut bytes: Vec<u8> = sizes
                .iter()
                .flat_map(|size| frame(1, true, &vec![7; *size]))
                .collect();
            if extra {
                bytes.push(0x81);
            }
            let mut frames = Frames::default();
            for part in bytes.chunks(piece) {
                frames.pass(part);
            }
            prop_assert_eq!(frames.at_boundary(), !extra);
        }
    }
}
