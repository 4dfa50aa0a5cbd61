import * as filesystem from '../../../api/filesystem.ts';
import { withBofh } from '../../../bofh.ts';
import { type Bytes, formatSize } from '../../../core/units.ts';
import { type Answer, give } from '../../output/answer.ts';
import type {
  FilesystemCheck,
  FilesystemDetails,
  FilesystemLabel,
  FilesystemResize,
} from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, untilInterrupted } from '../../runtime/session.ts';
import { sizeAmong } from '../../runtime/sizes.ts';
import { printable } from '../../output/text.ts';

/** `bofh filesystem show DEVICE` */
export async function show(runtime: Runtime, device: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const data: FilesystemDetails = await withBofh(bofh, () => filesystem.show(device));
  give(runtime, { data, lines: detailsInWords(data) });
  return 0;
}

function detailsInWords(of: FilesystemDetails): readonly string[] {
  const rows: readonly (readonly [string, string])[] = [
    ['device', printable(of.device)],
    ['type', of.type],
    ['uuid', of.uuid],
    ['label', of.label === null ? '-' : printable(of.label)],
    ['size', sizeInWords(of.size)],
    ['used', sizeInWords(of.used)],
    ['free', sizeInWords(of.free)],
    ['minimum', of.minimumSize === of.size ? 'its size: it cannot be shrunk' : sizeInWords(of.minimumSize)],
    ['block', `${String(of.blockSize)} B`],
    ['mounted', of.mountedOn.length === 0 ? 'no' : of.mountedOn.map(printable).join(', ')],
  ];
  return rows.map(([name, value]) => `${name.padEnd(8)} ${value}`);
}

function sizeInWords(bytes: number | null): string {
  return bytes === null ? 'cannot be told' : `${formatSize(bytes)} (${String(bytes)} bytes)`;
}

/** `bofh filesystem resize DEVICE SIZE|max` */
export async function resize(runtime: Runtime, device: string, size: string): Promise<number> {
  const asked = { device, size: size === 'max' ? size : sizeAmong(size, '20g or max') } as const;
  const act = () => filesystem.resize(asked);
  return change<{ readonly size: Bytes }>(runtime, async (bofh) => {
    if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act);
    const { type, uuid, size: was } = await withBofh(bofh, () => filesystem.show(device));
    return {
      act,
      answer: (made): Answer<FilesystemResize> => {
        const data = { device, type, uuid, was, size: made.size };
        return { data, lines: [resizedInWords(data)] };
      },
    };
  });
}

function resizedInWords({ device, type, was, size }: FilesystemResize): string {
  const of = `the ${type} on ${printable(device)}`;
  if (was === size) return `${of} has that size already: ${sizeInWords(size)}`;
  return `${of} has ${sizeInWords(size)} now; it had ${sizeInWords(was)}`;
}

/** `bofh filesystem label DEVICE [LABEL]` */
export async function label(runtime: Runtime, device: string, text: string | undefined): Promise<number> {
  const asked = { device, label: text === undefined || text === '' ? null : text };
  return change(runtime, {
    act: () => filesystem.label(asked),
    answer: (made): Answer<FilesystemLabel> => {
      const named = made.label === null ? 'no label' : `the label ${JSON.stringify(printable(made.label))}`;
      return { data: { device, ...made }, lines: [`${printable(device)} has ${named} now`] };
    },
  });
}

/** `bofh filesystem check DEVICE`: exit 6 when it has errors. */
export async function check(runtime: Runtime, device: string): Promise<number> {
  const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
  const { said, ...found } = await untilInterrupted(
    runtime,
    withBofh(bofh, () => filesystem.check(device)),
  );
  const data: FilesystemCheck = { ...found, said: [...said] };
  const errors = data.state === 'errors';
  const of = `the ${data.type} on ${printable(device)}`;
  const lines = errors ? [...said.map(printable), `${of} has errors`] : [`${of} is clean`];
  give(runtime, { data, lines });
  return errors ? 6 : 0;
}
