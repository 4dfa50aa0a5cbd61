import * as drbd from '../api/drbd.ts';
import { withBofh } from '../bofh.ts';
import { give } from './answer.ts';
import type { DrbdChange } from './answers/index.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';
import { logged } from './system-log.ts';

type Act = (args: { readonly name: string }) => Promise<unknown>;

const acts: Readonly<
  Record<'up' | 'down' | 'primary' | 'secondary', { readonly act: Act; readonly words: string }>
> = {
  up: { act: drbd.up, words: 'is up' },
  down: { act: drbd.down, words: 'is down' },
  primary: { act: drbd.primary, words: 'is primary on this host' },
  secondary: { act: drbd.secondary, words: 'is secondary on this host' },
};

/** `bofh drbd up RESOURCE`, `down`, `primary` and `secondary`: until the next boot. */
export async function change(runtime: Runtime, name: string, to: keyof typeof acts): Promise<number> {
  const { act, words } = acts[to];
  const { bofh, progress } = await openSession(runtime, { site: 'unused', root: 'needed' });
  if (runtime.settings.mode === 'plan') {
    const { dryRun } = await import('./plan.ts');
    return await dryRun(runtime, bofh, () => act({ name }));
  }
  await logged(runtime, bofh.host, () => withBofh(bofh, () => act({ name })));
  progress.end();
  const { state } = await withBofh(bofh, () => drbd.resource(name));
  const data: DrbdChange = {
    resource: name,
    role: state?.role ?? null,
    devices: (state?.volumes ?? []).map(({ minor }) => `/dev/drbd${String(minor)}`),
  };
  const where = data.devices.length === 0 ? '' : `: ${data.devices.join(', ')}`;
  give(runtime, { data, lines: [`${name} ${words}${where}`] });
  return 0;
}
