import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { confirm } from '../../../src/cli/runtime/confirm.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';
import { openTerminal } from '../../../src/cli/runtime/terminal.ts';
import { InterruptedError } from '../../../src/core/errors.ts';
import { rejectionOf } from '../../support/rejection.ts';

it.each([
  ['bofh lvm remove vg0/web1', 'bofh lvm remove vg0/web1 --yes'],
  ['bofh lvm remove -- vg0/-x', 'bofh lvm remove --yes -- vg0/-x'],
])('without a terminal, %s shows %s', async (typed, remedy) => {
  const runtime = {
    ...{ settings: { consent: 'ask', host: undefined }, terminal: { interactive: false } },
    ...{ verb: 'lvm remove', commandLine: typed.split(' ') },
  };

  expect(await rejectionOf(confirm(runtime as unknown as Runtime, ['it']))).toMatchObject({ remedy });
});

it.each(['while it waits for the answer', 'before the question'])('a signal %s ends it', async (when) => {
  const stream = () => Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => undefined });
  const streams = { stdin: stream(), stdout: stream(), stderr: stream() };
  const stop = new AbortController();
  const runtime = {
    ...{ settings: { consent: 'ask', host: undefined }, signals: { stop: stop.signal }, verb: 'lvm remove' },
    terminal: openTerminal(streams as unknown as Parameters<typeof openTerminal>[0]),
  };

  if (when === 'before the question') stop.abort();
  const error = rejectionOf(confirm(runtime as unknown as Runtime, ['it']));
  setTimeout(() => stop.abort(), 50);

  expect(await error).toBeInstanceOf(InterruptedError);
});
