import type { Layer } from '../blockdevice/layer.ts';

/** Any filesystem. */
export const anyFilesystem: Layer = {
  name: 'filesystem',
  of: 'content',
  recognises: ({ content }) => content?.usage === 'filesystem',
  title: ({ content }) => content?.type ?? '',
  tell: async () => ({}),
};

/** A swap area. */
export const swap: Layer = {
  name: 'swap',
  of: 'content',
  recognises: ({ content }) => content?.type === 'swap',
  tell: async ({ device }) => ({ size: device.size }),
};
