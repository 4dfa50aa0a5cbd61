import { formatSize } from '../core/units.ts';
import type { HostMap, MapDevice } from './schema.ts';

/** All lengths in pixels. The font is monospaced, so that texts can be cut to fit. */
const width = 1200;
const margin = 24;
const line = 20;
const charWidth = 7.3;
const inner = width - 2 * margin;

/** The kinds of use. Each has a symbol too, because the picture must be readable without colours. */
const kinds = {
  guest: { symbol: '▣', text: 'disk of a guest' },
  mounted: { symbol: '●', text: 'mounted' },
  swap: { symbol: '≈', text: 'swap in use' },
  pool: { symbol: '◇', text: 'thin pool' },
  unused: { symbol: '○', text: 'not in use' },
  inactive: { symbol: '┄', text: 'not active' },
} as const;

type Kind = keyof typeof kinds;

const states: Readonly<Record<string, string>> = { running: '▶', off: '■', paused: '‖', crashed: '✕' };

const style = `
:root { --paper: #fff; --ink: #1c2128; --faint: #667080; --line: #c8ced6; --guest: #2f6fb4; --mounted: #2f8f5b; --swap: #8a6d3b; --pool: #7a4fb0; --unused: #b5651d; --inactive: #808891; --running: #2f8f5b; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191e; --ink: #e4e8ec; --faint: #98a2ae; --line: #3a434d; --guest: #6aa9ee; --mounted: #5cc48a; --swap: #d0ab6b; --pool: #b58be8; --unused: #e39a55; --inactive: #8d96a0; --running: #5cc48a; } }
text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--ink); white-space: pre; }
.h1 { font-size: 20px; font-weight: bold; } .h2 { font-size: 15px; font-weight: bold; } .b { font-weight: bold; } .faint { fill: var(--faint); } .end { text-anchor: end; }
.box { fill: none; stroke: var(--line); } .paper { fill: var(--paper); } .on { fill: var(--paper); } .free { fill: url(#free); stroke: var(--line); }
${Object.keys(kinds)
  .map((kind) => `.${kind} { fill: var(--${kind}); }`)
  .join(' ')} .running { fill: var(--running); }`;

/** The map as one SVG picture without references to other files. */
export function drawSvg(map: HostMap): string {
  const out: string[] = [];
  let y = 40;
  out.push(text(margin, y, map.host, 'h1'));
  out.push(text(width - margin, y, map.at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'), 'faint end'));
  y = legend(out, y + 30);
  for (const group of map.groups) y = drawGroup(out, group, y + 34);
  if (map.others.length > 0) {
    out.push(text(margin, (y += 40), 'Not in a volume group', 'h2'));
    y = rows(out, map.others, y + 10);
  }
  if (map.guests.length > 0) y = drawGuests(out, map.guests, y + 40);
  for (const what of map.unknown)
    out.push(text(margin, (y += line + 4), cut(`unknown: ${what}`, inner), 'faint'));
  const height = Math.ceil(y + margin);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(`Storage and guests of ${map.host}`)}">
<style>${style}</style>
<defs><pattern id="free" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="8" style="fill:var(--line)"/></pattern></defs>
<rect class="paper" width="${width}" height="${height}"/>
${out.join('\n')}
</svg>
`;
}

/** The picture as an HTML page. In a narrow window it scrolls, because a smaller picture is illegible. */
export function drawHtml(map: HostMap): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${escaped(map.host)}: storage and guests</title>
<style>body { margin: 0; overflow-x: auto; background: #fff; } @media (prefers-color-scheme: dark) { body { background: #15191e; } } svg { display: block; width: 100%; min-width: 900px; max-width: 1500px; height: auto; margin: 0 auto; }</style></head>
<body>
${drawSvg(map)}</body>
</html>
`;
}

function legend(out: string[], y: number): number {
  let x = margin;
  const put = (symbol: string, what: string, look: string): void => {
    out.push(text(x, y, symbol, `b ${look}`), text(x + 16, y, what, 'faint'));
    x += 34 + what.length * charWidth;
  };
  for (const [kind, { symbol, text: what }] of Object.entries(kinds)) put(symbol, what, kind);
  out.push(`<rect class="free" x="${x}" y="${y - 11}" width="14" height="12"/>`);
  out.push(text(x + 20, y, 'free', 'faint'));
  x += 38 + 4 * charWidth;
  for (const [state, symbol] of Object.entries(states))
    put(symbol, state, state === 'running' ? 'running' : '');
  return y;
}

function drawGroup(out: string[], group: HostMap['groups'][number], top: number): number {
  const { name, size, free, on, devices } = group;
  let y = top + 6;
  out.push(text(margin, y, name, 'h2'));
  const taken = size === 0 ? 0 : Math.round(((size - free) / size) * 100);
  const facts = `${formatSize(size)}, ${formatSize(free)} free, ${String(taken)}% used${on.length === 0 ? '' : `; on ${on.join(', ')}`}`;
  const left = margin + name.length * 9.2 + 14;
  out.push(text(left, y, cut(facts, width - margin - left), 'faint'));
  y += 10;
  bar(out, group, y);
  y += 26;
  return devices.length === 0 ? y : rows(out, devices, y + 6);
}

/**
 * Draws the space of a group: the free space is exact, and the volumes share the rest by their
 * sizes, because a mirror uses more than its size, and a snapshot less. Thin volumes use no space
 * of the group.
 */
function bar(out: string[], { size, free, devices }: HostMap['groups'][number], y: number): void {
  out.push(`<rect class="free" x="${margin}" y="${y}" width="${inner}" height="24"/>`);
  const own = devices.filter((device) => !isThin(device));
  const sum = own.reduce((all, device) => all + device.size, 0);
  if (size === 0 || sum === 0) return;
  const scale = (((size - free) / size) * inner) / sum;
  let x: number = margin;
  for (const device of own) {
    const share = device.size * scale;
    const kind = kindOf(device);
    const label = cutName(`${kinds[kind].symbol} ${device.name}`, share - 6);
    out.push(
      `<g><title>${escaped(tip(device))}</title><rect class="${kind}" x="${round(x)}" y="${y}" width="${round(Math.max(share - 1, 0.5))}" height="24"/>${label.length > 2 ? text(x + 4, y + 16, label, 'on') : ''}</g>`,
    );
    x += share;
  }
}

/** Draws the devices in two columns. */
function rows(out: string[], devices: readonly MapDevice[], top: number): number {
  const perColumn = Math.ceil(devices.length / 2);
  const column = inner / 2;
  for (const [at, device] of devices.entries()) {
    const x = margin + Math.floor(at / perColumn) * column;
    row(out, device, { x, y: top + (1 + (at % perColumn)) * line, room: column - 16 });
  }
  return top + perColumn * line;
}

function row(
  out: string[],
  device: MapDevice,
  { x, y, room }: { readonly x: number; readonly y: number; readonly room: number },
): void {
  const kind = kindOf(device);
  const [nameRoom, sizeRoom] = [170, 84];
  const used = device.used === undefined ? [] : [`${String(Math.round(device.used))}% full`];
  const what = [device.layers.join(' › '), ...used].filter((each) => each !== '').join(', ');
  const to = [...device.mounts, ...device.guests].join(', ');
  out.push(
    `<g><title>${escaped(tip(device))}</title>`,
    text(x, y, kinds[kind].symbol, `b ${kind}`),
    text(x + 16, y, cutName(device.name, nameRoom - 20), 'b'),
    text(x + nameRoom + sizeRoom - 12, y, formatSize(device.size), 'end'),
    text(
      x + nameRoom + sizeRoom,
      y,
      cut([what, to].filter((each) => each !== '').join(' → '), room - nameRoom - sizeRoom),
      'faint',
    ),
    '</g>',
  );
}

function drawGuests(out: string[], guests: HostMap['guests'], top: number): number {
  const running = guests.filter(({ state }) => state === 'running');
  const memory = running.reduce((sum, guest) => sum + guest.memory, 0);
  out.push(text(margin, top, 'Guests', 'h2'));
  const facts = `${String(guests.length)}, ${String(running.length)} running with ${formatSize(memory)}`;
  out.push(text(margin + 74, top, facts, 'faint'));
  const [perRow, boxHeight, gap] = [4, 58, 8];
  const boxWidth = (inner - (perRow - 1) * gap) / perRow;
  for (const [at, guest] of guests.entries()) {
    const x = margin + (at % perRow) * (boxWidth + gap);
    const y = top + 14 + Math.floor(at / perRow) * (boxHeight + gap);
    const { name, state, vcpus, disks } = guest;
    const room = boxWidth - 20;
    out.push(
      `<g><title>${escaped([name, state, ...disks].join('\n'))}</title><rect class="box" x="${round(x)}" y="${y}" width="${round(boxWidth)}" height="${boxHeight}" rx="4"/>`,
      text(x + 10, y + 18, states[state] ?? '?', `b ${state === 'running' ? 'running' : 'faint'}`),
      text(x + 28, y + 18, cutName(name, room - 18), 'b'),
      text(
        x + 10,
        y + 35,
        `${state}, ${formatSize(guest.memory)}, ${String(vcpus)} CPU${vcpus === 1 ? '' : 's'}`,
        '',
      ),
      text(x + 10, y + 51, cut(disks.map(short).join(', '), room), 'faint'),
      '</g>',
    );
  }
  return top + 14 + Math.ceil(guests.length / perRow) * (boxHeight + gap);
}

function short(path: string): string {
  return path.replace(/^\/dev\/(?:mapper\/)?/, '');
}

function isThin({ layers }: MapDevice): boolean {
  return layers[0]?.startsWith('thin in ') === true;
}

function kindOf({ active, guests, mounts, layers }: MapDevice): Kind {
  if (guests.length > 0) return 'guest';
  if (!active) return 'inactive';
  if (mounts.length > 0) return mounts.every((each) => each === 'swap') ? 'swap' : 'mounted';
  return layers[0] === 'thin pool' ? 'pool' : 'unused';
}

function tip({ name, size, layers, mounts, guests }: MapDevice): string {
  return [
    `${name}, ${formatSize(size)}`,
    ...layers,
    ...mounts,
    ...guests.map((guest) => `guest ${guest}`),
  ].join('\n');
}

function text(x: number, y: number, content: string, look: string): string {
  return `<text x="${round(x)}" y="${round(y)}"${look.trim() === '' ? '' : ` class="${look.trim()}"`}>${escaped(content)}</text>`;
}

function cut(content: string, room: number): string {
  const most = Math.floor(room / charWidth);
  const all = Array.from(content);
  if (all.length <= most) return content;
  return most < 2 ? '' : `${all.slice(0, most - 1).join('')}…`;
}

/** Cuts a name in its middle, because similar names often differ at the end: `customer-sh…-root`. */
function cutName(name: string, room: number): string {
  const most = Math.floor(room / charWidth);
  const all = Array.from(name);
  if (all.length <= most || most < 5) return cut(name, room);
  const end = Math.floor((most - 1) / 2);
  return `${all.slice(0, most - 1 - end).join('')}…${all.slice(-end).join('')}`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/**
 * Escapes names and labels, which come from disks and guests: no character may end the text or be invalid in
 * XML.
 */
function escaped(content: string): string {
  return content.replaceAll(/[&<>"]/g, (char) => entities[char] ?? '').replaceAll(/[^\P{C}\n]/gu, '�');
}
