import * as stack from '../../../stack/index.ts';
import type { StackDevice, StackTree, StackUse } from '../../../stack/index.ts';
import { present } from '../../../core/present.ts';
import { formatSize } from '../../../core/units.ts';
import { give } from '../../output/answer.ts';
import { openSession } from '../../runtime/session.ts';
import { verb } from '../../runtime/verb.ts';
import { type Look, type TextStyle, type Paint, paintWord, plainLook } from '../../output/style.ts';
import { printable, wrapped } from '../../output/text.ts';

export default verb({
  changes: false,
  answers: 'block tree',
  args: { device: ['[device]', 'only this device, what is below it and what is above it'] },
  examples: ['block tree', 'block tree /dev/vg0/web1'],
  run: async (runtime, { device }) => {
    const { bofh } = await openSession(runtime, { site: 'used', root: 'not-needed' });
    const { host, site } = bofh;
    const data = await stack.tree({ host, configDirs: site.guestConfigDirs, ...present({ device }) });
    give(runtime, { data, lines: drawTree(data, runtime.terminal.look) });
    for (const one of data.unknown) runtime.terminal.line(`unknown: ${printable(one)}`);
    return 0;
  },
});

/** The tree as lines of at most `columns`. A device above several others is drawn in full once. */
export function drawTree(
  { roots, devices, asked }: StackTree,
  { paint, columns }: Pick<Look, 'paint' | 'columns'> = plainLook,
): readonly string[] {
  const byId = new Map(devices.map((one) => [one.id, one]));
  const drawn = new Set<string>();
  const lines: string[] = [];
  const draw = (id: string, trunk: string, branch: string): void => {
    const device = byId.get(id);
    if (device === undefined) return;
    const again = drawn.has(id);
    drawn.add(id);
    const above = again ? [] : device.above;
    const below = `${trunk}${above.length > 0 ? '│  ' : '   '}`;
    const mark = device.id === asked ? ' ◀' : '';
    const head = `${printable(device.name)}  ${formatSize(device.size)}${mark}  `;
    const words = again ? [paint('dim', 'see above')] : wordsOf(device, paint);
    lines.push(...wrapped(words, { first: `${branch}${head}`, next: below, columns }));
    if (!again)
      for (const more of moreOf(device, paint))
        lines.push(...wrapped([more], { first: below, next: `${below}  `, columns }));
    above.forEach((upper, at) => {
      const last = at === above.length - 1;
      draw(upper, `${trunk}${last ? '   ' : '│  '}`, `${trunk}${last ? '└─ ' : '├─ '}`);
    });
  };
  for (const root of roots) draw(root, '', '');
  return lines;
}

/** The kind and the content of a device, and their facts. */
function wordsOf(device: StackDevice, paint: Paint): readonly string[] {
  const { title, facts, content, readOnly } = device;
  const label = content.label === undefined ? '' : ` "${content.label}"`;
  const on =
    content.state === 'unreadable'
      ? content.title || 'content unknown'
      : content.state === 'unknown'
        ? `${content.title}${label} (unknown to bofh)`
        : `${content.title}${label}`;
  const isLess = content.size !== undefined && content.overhead === undefined && content.size < device.size;
  const own = isLess ? [`of ${formatSize(content.size ?? 0)}`] : [];
  const overhead =
    content.overhead === undefined || content.overhead === 0
      ? []
      : [`overhead ${formatSize(content.overhead)}`];
  const inWords = (fact: Fact): string => factInWords(fact, paint);
  return [
    printable(title),
    ...facts.filter(({ name }) => name !== 'extent').map(inWords),
    ...(readOnly ? ['read-only'] : []),
    ...(on === '' ? [] : [printable(on)]),
    ...own,
    ...overhead,
    ...content.facts.map(inWords),
  ];
}

type Fact = StackDevice['facts'][number];

/** Styles of unusual states of volume groups. */
const unusual: Readonly<Record<string, TextStyle>> = {
  'allocatable no': 'warning',
  'exported yes': 'warning',
  'complete no': 'bad',
};

/** Only states of DRBD get a colour: another value may be a name such as "up". */
function factInWords({ name, value }: Fact, paint: Paint): string {
  const [shownName, shown] = [printable(name), printable(value)];
  if (/^(?:role|disk|to .*)$/.test(name)) return `${shownName} ${paintWord(paint, shown)}`;
  const as = name.startsWith('sync with ') ? 'warning' : unusual[`${name} ${value}`];
  return paintEach(paint, as, `${shownName} ${shown}`);
}

/** Each word by itself: a line may end between them. */
function paintEach(paint: Paint, as: TextStyle | undefined, text: string): string {
  return text
    .split(' ')
    .map((word) => paint(as, word))
    .join(' ');
}

/** A line for each holder, and for each fact that is unknown. */
function moreOf({ uses, unknown: unread }: StackDevice, paint: Paint): readonly string[] {
  const unknown = unread.map((one) => paintEach(paint, 'warning', `? ${printable(one)}`));
  return [...uses.map(useInWords), ...unknown];
}

function useInWords(use: StackUse): string {
  switch (use.kind) {
    case 'mount': {
      const root = use.root === '/' ? '' : ` (${printable(use.root)} of it)`;
      return `→ mounted on ${printable(use.path)}${root}${use.mode === 'ro' ? ', read-only' : ''}`;
    }
    case 'swap':
      return '→ in use as swap';
    case 'guest':
      return `→ disk of the guest ${printable(use.name ?? 'with an unknown name')} (domid ${use.domid})`;
    case 'target':
      return `→ served to other hosts as ${printable(use.name)}`;
    case 'configured-guest':
      return `→ disk of the guest ${printable(use.name)}, which is off (${printable(use.file)})`;
  }
}
