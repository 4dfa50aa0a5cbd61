import * as block from '../../../src/api/block.ts';
import { withBofh } from '../../../src/bofh.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';

const mib = 1024 ** 2;

/** A stack that begins at a device: how it is resized by `block.resize`, and what its sizes are. */
export function stackAt(device: string) {
  const key = { from: 'file', path: '/etc/key' } as const;
  return {
    resize: (there: SimulatedHost, to: block.ResizeRequest['to']): Promise<block.StackResized> =>
      withBofh(simulatedBofh({ host: there }), () => block.resize({ device, to, key })),
    /** Sizes in MiB: of each device, from that one up, with its content. */
    sizesNow: async (there: SimulatedHost): Promise<readonly number[]> => {
      const { devices } = await withBofh(simulatedBofh({ host: there }), () => block.tree({ device }));
      return devices.slice(1).flatMap(({ size, content }) => [size / mib, (content.size ?? 0) / mib]);
    },
  };
}
