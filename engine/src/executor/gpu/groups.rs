//! Bind groups by what they bind, so that a recording which is run once finds those that an earlier one has made: of the same
//! weights, the same caches and the same scratch slots.

use std::collections::HashMap;

use super::context::Context;

/// Most that are kept; more than a model of many layers needs for prompts of a few lengths.
const MOST: usize = 1 << 13;

/// What tells bind groups apart: the layout, and of each binding the buffer, where it begins and how long it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    layout: wgpu::BindGroupLayout,
    bindings: Vec<(wgpu::Buffer, u64, Option<wgpu::BufferSize>)>,
}

/// The bind groups made so far. They hold on to their buffers: those that are given up must be forgotten.
#[derive(Default)]
pub(super) struct Groups {
    known: HashMap<Key, wgpu::BindGroup>,
}

impl Groups {
    /// The bind group of `bindings`, in their order; kept for the next call where `lasting`.
    pub(super) fn get(
        &mut self,
        context: &Context,
        layout: &wgpu::BindGroupLayout,
        bindings: &[wgpu::BufferBinding<'_>],
        lasting: bool,
    ) -> wgpu::BindGroup {
        let make = || {
            let bound = bindings.iter().map(|b| wgpu::BindingResource::Buffer(b.clone()));
            context.bind_group(layout, bound)
        };
        if !lasting {
            return make();
        }
        if self.known.len() >= MOST {
            self.known.clear();
        }
        let bound = bindings.iter().map(|b| (b.buffer.clone(), b.offset, b.size)).collect();
        let key = Key { layout: layout.clone(), bindings: bound };
        self.known.entry(key).or_insert_with(make).clone()
    }

    /// Drops those that bind one of `buffers`.
    pub(super) fn forget(&mut self, buffers: &[wgpu::Buffer]) {
        if !buffers.is_empty() {
            self.known.retain(|key, _| !key.bindings.iter().any(|(bound, ..)| buffers.contains(bound)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_group_is_made_once_until_its_buffer_goes() {
        let context = Context::open(true, None).unwrap();
        let [a, b] = [256, 512].map(|size| context.buffer("test", size).unwrap());
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: true },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let layout = context
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &[entry] });
        let mut groups = Groups::default();
        let get = |groups: &mut Groups, buffer: &wgpu::Buffer, size, lasting| {
            let size = wgpu::BufferSize::new(size);
            groups.get(&context, &layout, &[wgpu::BufferBinding { buffer, offset: 0, size }], lasting)
        };
        let first = get(&mut groups, &a, 256, true);
        assert_eq!(get(&mut groups, &a, 256, true), first);
        let others = [get(&mut groups, &a, 128, true), get(&mut groups, &b, 256, true)];
        assert!(!others.contains(&first) && others[0] != others[1]);
        assert_ne!(get(&mut groups, &a, 256, false), first, "not kept, and not taken from those kept");
        groups.forget(std::slice::from_ref(&a));
        assert_ne!(get(&mut groups, &a, 256, true), first);
        assert_eq!(get(&mut groups, &b, 256, true), others[1]);
    }
}
