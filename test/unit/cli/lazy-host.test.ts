import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lazyHost } from '../../../src/cli/plan/places.ts';
import { hearingRejections } from '../../support/unheard.ts';

const unheard = hearingRejections();

describe('a host whose connection never completes', () => {
  it('fails only the calls that ask it', async () => {
    const host = lazyHost('web2', Promise.reject(new Error('web2 is down')));
    const step = host.during({ outputs: '/run/bofh', lock: 0 });
    await turn();
    expect(unheard()).toEqual([]);
    await expect(host.facts()).rejects.toThrow('web2 is down');
    await expect(step.sync('/srv')).rejects.toThrow('web2 is down');
  });
});
