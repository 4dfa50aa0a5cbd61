import { hostMap } from '../../../api/map.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { formatSize } from '../../../core/units.ts';
import { drawHtml, drawSvg } from '../../../map/draw-svg.ts';
import type { HostMap, MapDevice } from '../../../map/schema.ts';
import { give } from '../../output/answer.ts';
import { fullness, percentOf } from '../../output/fullness.ts';
import { type Look, plainLook, stated } from '../../output/style.ts';
import { table } from '../../output/table.ts';
import { printable } from '../../output/text.ts';
import { openSession } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';

export default verb({
  changes: false,
  answers: 'map',
  options: {
    svg: flag('print a picture in SVG instead', { conflicts: ['html'] }),
    html: flag('print a page with the picture instead'),
  },
  examples: ['map', 'map --svg', 'map --html'],
  run: async (runtime, { svg, html }) => {
    if ((svg || html) && runtime.settings.answer === 'json')
      throw new UsageError(`--${svg ? 'svg' : 'html'} and --json exclude each other`);
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const data = await withBofh(bofh, hostMap);
    if (svg || html) {
      runtime.terminal.answer(svg ? drawSvg(data) : drawHtml(data));
      return 0;
    }
    give(runtime, { data, lines: mapInText(data, runtime.terminal.look) });
    for (const one of data.unknown) runtime.terminal.line(`unknown: ${printable(one)}`);
    return 0;
  },
});

/** The map as lines of text. */
export function mapInText(
  { host, at, groups, others, guests }: HostMap,
  look: Look = plainLook,
): readonly string[] {
  const running = guests.filter(({ state }) => state === 'running').length;
  const sections: (readonly string[])[] = [
    [`${printable(host)}, ${at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}`],
    ...groups.map((group) => [groupInText(group, look), ...devicesInText(group.devices, look)]),
  ];
  if (others.length > 0) sections.push(['not in a volume group', ...devicesInText(others, look)]);
  if (guests.length > 0)
    sections.push([
      `guests: ${String(guests.length)}, ${String(running)} running`,
      ...indented(
        table(
          ['NAME', 'STATE', 'MEMORY', 'CPUS', 'DISKS'],
          guests.map(({ name, state, memory, vcpus, disks }) => [
            ...[name, stated(state), formatSize(memory), String(vcpus)],
            disks.map((path) => path.replace(/^\/dev\/(?:mapper\/)?/, '')).join(', '),
          ]),
          within(look),
        ),
      ),
    ]);
  return sections.flatMap((lines, at) => (at === 0 ? lines : ['', ...lines]));
}

const barWidth = 20;

function groupInText({ name, size, free, on }: HostMap['groups'][number], { paint }: Look): string {
  const percent = percentOf(size - free, size);
  const full = Math.round((percent / 100) * barWidth);
  const bar = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
  const place = on.length === 0 ? '' : `; on ${on.map(printable).join(', ')}`;
  return `${printable(name)}  ${paint(fullness(percent), `${bar} ${String(Math.round(percent))}%`)} of ${formatSize(size)}, ${formatSize(free)} free${place}`;
}

function devicesInText(devices: readonly MapDevice[], look: Look): readonly string[] {
  if (devices.length === 0) return ['  (no volumes)'];
  const rows = devices.map(({ name, size, layers, used, mounts, guests, active }) => [
    ...[name, formatSize(size)],
    stated(used === undefined ? '' : `${String(Math.round(used))}%`, fullness(used)),
    [...layers, ...(active ? [] : ['not active'])].join(' > '),
    [...mounts, ...guests.map((guest) => `guest ${guest}`)].join(', '),
  ]);
  return indented(table(['NAME', 'SIZE', 'FULL', 'CONTENT', 'IN USE BY'], rows, within(look)));
}

/** The indent takes two columns. */
function within(look: Look): Look {
  return { ...look, columns: look.columns - 2 };
}

function indented(text: string): readonly string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((each) => `  ${each}`);
}
