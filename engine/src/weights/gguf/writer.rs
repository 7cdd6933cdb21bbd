//! Writes files as llama.cpp does, for tests; and wrong ones.

/// A file in the making.
#[derive(Default)]
pub(crate) struct Writer {
    pairs: Vec<Vec<u8>>,
    tensors: Vec<Vec<u8>>,
    data: Vec<u8>,
    /// Where tensors begin in the data.
    pub(crate) alignment: usize,
    /// What is stated in place of the true numbers of tensors and entries.
    pub(crate) counts: [Option<u64>; 2],
}

/// A string as files have it.
pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

impl Writer {
    pub(crate) fn new(architecture: &str) -> Writer {
        let mut writer = Writer { alignment: 32, ..Writer::default() };
        writer.pair("general.architecture", 8, &text(architecture.as_bytes()));
        writer
    }

    /// An entry of metadata of this type.
    pub(crate) fn pair(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Writer {
        self.pairs.push([&text(key.as_bytes()), &kind.to_le_bytes()[..], value].concat());
        self
    }

    /// A tensor, outermost axis first, and its bytes.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], kind: u32, bytes: &[u8]) -> &mut Writer {
        let offset = self.data.len() as u64;
        let axes: Vec<u64> = shape.iter().rev().map(|&axis| axis as u64).collect();
        self.listed(name, &axes, kind, offset);
        self.data.extend(bytes);
        self.data.resize(self.data.len().next_multiple_of(self.alignment), 0);
        self
    }

    /// A tensor's line alone, innermost axis first.
    pub(crate) fn listed(&mut self, name: &str, axes: &[u64], kind: u32, offset: u64) -> &mut Writer {
        let axes_bytes: Vec<u8> = axes.iter().flat_map(|axis| axis.to_le_bytes()).collect();
        self.tensors.push(
            [
                &text(name.as_bytes()),
                &(axes.len() as u32).to_le_bytes()[..],
                &axes_bytes,
                &kind.to_le_bytes(),
                &offset.to_le_bytes(),
            ]
            .concat(),
        );
        self
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        let counts = [self.tensors.len(), self.pairs.len()];
        let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
        for (stated, count) in self.counts.into_iter().zip(counts) {
            file.extend(stated.unwrap_or(count as u64).to_le_bytes());
        }
        file.extend(self.pairs.concat());
        file.extend(self.tensors.concat());
        if self.alignment > 0 {
            file.resize(file.len().next_multiple_of(self.alignment), 0);
        }
        file.extend(&self.data);
        file
    }
}
