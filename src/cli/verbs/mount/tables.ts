import * as mount from '../../../api/mount.ts';
import { withBofh } from '../../../bofh.ts';
import { UsageError } from '../../../core/errors.ts';
import { optionsIn, refuseSecrets, type Table } from '../../../mount/index.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { CrypttabList, FstabList, TableEdit } from '../../output/answers/index.ts';
import { change } from '../../runtime/change.ts';
import type { Options } from '../../runtime/options.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession } from '../../runtime/session.ts';

/** `bofh mount fstab list` */
export async function listFstab(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { lines, unread } = await withBofh(bofh, () => mount.fstab());
  const read = lines.map(({ number, source, target, type, options, dump, pass, secret }) => ({
    ...{ line: number, device: source, path: target, type, dump, pass },
    ...{ options: secret ? options.map(withoutValue) : [...options], unreadable: null },
  }));
  const others = unread.map(({ number, why }) => ({
    ...{ line: number, device: null, path: null, type: null, dump: null, pass: null },
    ...{ options: [], unreadable: why },
  }));
  const data: FstabList = [...read, ...others].toSorted((one, other) => one.line - other.line);
  give(runtime, {
    data,
    head: ['LINE', 'DEVICE', 'PATH', 'TYPE', 'OPTIONS', 'DUMP', 'PASS'],
    rows: data.map((each) => [
      String(each.line),
      each.device ?? 'not understood',
      each.path ?? '',
      each.type ?? '',
      each.options.join(','),
      each.dump?.toString() ?? '',
      each.pass?.toString() ?? '',
    ]),
    none: '/etc/fstab has no line',
  });
  tellUnread(runtime, '/etc/fstab', unread);
  return 0;
}

/** `bofh mount crypttab list` */
export async function listCrypttab(runtime: Runtime): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { lines, unread } = await withBofh(bofh, () => mount.crypttab());
  const read = lines.map(({ number, name, device, key, options }) => ({
    ...{ line: number, name, device, key, options: [...options], unreadable: null },
  }));
  const others = unread.map(({ number, why }) => ({
    ...{ line: number, name: null, device: null, key: null, options: [], unreadable: why },
  }));
  const data: CrypttabList = [...read, ...others].toSorted((one, other) => one.line - other.line);
  give(runtime, {
    data,
    head: ['LINE', 'NAME', 'DEVICE', 'KEY', 'OPTIONS'],
    rows: data.map((each) => [
      ...[String(each.line), each.name ?? 'not understood', each.device ?? '', each.key ?? ''],
      each.options.join(','),
    ]),
    none: '/etc/crypttab has no line, or is not there',
  });
  tellUnread(runtime, '/etc/crypttab', unread);
  return 0;
}

function tellUnread(runtime: Runtime, file: string, unread: Table<unknown>['unread']): void {
  if (runtime.settings.answer === 'json') return;
  for (const { number, why } of unread)
    runtime.terminal.line(`${file}: line ${number} is not understood: ${why}`);
}

/** `bofh mount fstab add DEVICE PATH` */
export async function addFstab(
  runtime: Runtime,
  { device, path }: { readonly device: string; readonly path: string },
  options: Options,
): Promise<number> {
  const to = fstabFields(options);
  const { type = '', ...more } = to;
  return edit(runtime, () => mount.addFstab({ source: device, target: path, type, ...more }));
}

/** `bofh mount fstab set PATH` */
export async function changeFstab(runtime: Runtime, path: string, options: Options): Promise<number> {
  const to = {
    ...fstabFields(options),
    ...(typeof options.device === 'string' ? { source: options.device } : {}),
    ...(typeof options.path === 'string' ? { target: options.path } : {}),
  };
  refuseNothing(to, '--device, --path, --type, --options, --dump or --pass');
  return edit(runtime, () => mount.changeFstab({ of: path, to }));
}

/** `bofh mount fstab remove PATH` */
export async function removeFstab(runtime: Runtime, path: string): Promise<number> {
  return edit(runtime, () => mount.removeFstab({ of: path }));
}

/** `bofh mount crypttab add NAME DEVICE` */
export async function addCrypttab(
  runtime: Runtime,
  asked: { readonly name: string; readonly device: string },
  options: Options,
): Promise<number> {
  const { key = 'none', ...more } = crypttabFields(options);
  return edit(runtime, () => mount.addCrypttab({ ...asked, key, ...more }));
}

/** `bofh mount crypttab set NAME` */
export async function changeCrypttab(runtime: Runtime, name: string, options: Options): Promise<number> {
  const to = {
    ...crypttabFields(options),
    ...(typeof options.device === 'string' ? { device: options.device } : {}),
    ...(typeof options.name === 'string' ? { name: options.name } : {}),
  };
  refuseNothing(to, '--device, --name, --key-file or --options');
  return edit(runtime, () => mount.changeCrypttab({ name, to }));
}

function refuseNothing(to: object, options: string): void {
  if (Object.keys(to).length === 0)
    throw new UsageError('nothing is said to change in the line', { remedy: `give ${options}` });
}

/** `bofh mount crypttab remove NAME` */
export async function removeCrypttab(runtime: Runtime, name: string): Promise<number> {
  return edit(runtime, () => mount.removeCrypttab({ name }));
}

async function edit(
  runtime: Runtime,
  act: () => Promise<{ readonly file: string; readonly line: string | null }>,
): Promise<number> {
  const next = 'systemctl daemon-reload';
  return change(runtime, {
    act,
    answer: ({ file, line }): Answer<TableEdit> => ({
      data: { file, line, next },
      lines: [
        line === null ? `the line is out of ${file}` : `${file} has the line: ${line}`,
        `systemd reads it at the next boot, or after: ${next}`,
      ],
    }),
  });
}

function fstabFields(options: Options) {
  const { type, dump, pass } = options;
  return {
    ...listed(options),
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof dump === 'string' ? { dump: numberOf(dump) } : {}),
    ...(typeof pass === 'string' ? { pass: numberOf(pass) } : {}),
  };
}

function crypttabFields(options: Options) {
  return { ...listed(options), ...(typeof options.keyFile === 'string' ? { key: options.keyFile } : {}) };
}

/** Before anything is logged: the line that was typed is. */
function listed({ options }: Options): { readonly options?: readonly string[] } {
  if (typeof options !== 'string') return {};
  const words = optionsIn(options);
  refuseSecrets(words);
  return { options: words };
}

function numberOf(text: string): number {
  if (!/^\d$/.test(text)) throw new UsageError(`"${text}" is no number from 0 to 9`);
  return Number(text);
}

/** A list is shown on screens, and the line holds a password. */
function withoutValue(option: string): string {
  return option.replace(/=.*$/s, '=…');
}
