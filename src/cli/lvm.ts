import { lvs } from '../lvm/commands.ts';
import { formatSize } from '../units.ts';
import { give } from './answer.ts';
import type { LvmList } from './answers/index.ts';
import type { Runtime } from './runtime.ts';
import { openSession } from './session.ts';

/** `bofh lvm list`: the volumes that a person made; parts of others (mirror legs, pool metadata) are left out. */
export async function list(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const found = (await bofh.host.run(lvs())).filter(({ path }) => path !== undefined);
  const data: LvmList = found.map((lv) => ({
    volume: lv.fullName,
    uuid: lv.uuid,
    path: lv.path ?? null,
    size: lv.size,
    active: lv.active,
    open: lv.open,
    layout: [...lv.layout],
    origin: lv.origin?.name ?? null,
    pool: lv.pool?.name ?? null,
    tags: [...lv.tags],
  }));
  give(runtime, {
    data,
    head: ['VOLUME', 'SIZE', 'ACTIVE', 'OPEN', 'LAYOUT', 'ORIGIN', 'POOL', 'TAGS'],
    rows: data.map((lv) => [
      lv.volume,
      formatSize(lv.size),
      word(lv.active),
      word(lv.open),
      lv.layout.join(','),
      lv.origin ?? '',
      lv.pool ?? '',
      lv.tags.join(','),
    ]),
    none: 'there is no logical volume on this host',
  });
  return 0;
}

function word(flag: boolean | 'unknown'): string {
  if (flag === 'unknown') return flag;
  return flag ? 'yes' : 'no';
}
