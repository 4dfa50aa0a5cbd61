import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { deviceGraph } from '../../../src/blockdevice/graph.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { hearingRejections } from '../../support/unheard.ts';

const unheard = hearingRejections();

/** A host that cannot read what ends like this. */
function blindFor(end: string): ReadHost {
  const host = simulatedHost({ disks: [{ name: 'vdz', size: 1024 ** 3 }] });
  const readFile: ReadHost['readFile'] = async (path) => {
    if (path.endsWith(end)) throw new Error(`no ${end}`);
    return host.readFile(path);
  };
  return { ...host, readFile };
}

describe('a listing of all devices', () => {
  it.each(['/proc/self/mountinfo', '/size', '/dev'])(
    'fails when %s cannot be read, and reports the error once',
    async (end) => {
      await expect(deviceGraph(blindFor(end))).rejects.toThrow(`no ${end}`);
      await turn();
      expect(unheard()).toEqual([]);
    },
  );
});
