import { one, type Options, readOptions, unmodelled } from '../../options.ts';
import type { LuksParts, LuksSlot } from '../../world/parts.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { openers } from '../../world/devices.ts';
import { type Luks, luksAt, newSlot, noLuks, only, putHeader, opensSlot } from './luks.ts';
import { present } from '../../../core/present.ts';

type State = NonNullable<LuksParts['reencryption']>;

/** `cryptsetup reencrypt` of a closed LUKS2 device: the whole reencryption, or the rest of one. */
export function reencrypt(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--batch-mode', '--progress-json', '--resume-only'],
    values: ['--progress-frequency', '--resilience', '--cipher', '--key-size', '--key-file'],
  });
  const { world } = call;
  const path = only(call, options);
  const found = luksAt(world, path);
  if (typeof found === 'string') return noLuks(path, found);
  const { device, version, reencryption } = found;
  if (device === undefined || version === 1) throw unmodelled(call, 'it knows only LUKS2 on a device');
  // cryptsetup would reencrypt an open device online.
  if (openers(world, device.number).length > 0) throw unmodelled(call, 'it knows only closed devices');
  const key = keyOf(call, options);
  if (options.flags.has('--resume-only')) {
    if (reencryption === undefined) return failed(1, 'Device reencryption not in progress.');
    if (!opensSlot(found, key)) return failed(1, '');
    if (reencryption.torn) return failed(1, 'Device requires reencryption recovery. Run repair first.');
    return ended(call, found, reencryption);
  }
  if (reencryption !== undefined) throw unmodelled(call, 'an interrupted reencryption needs --resume-only');
  const bound = found.slots.filter(({ opens }) => opens === undefined);
  if (bound.length !== 1)
    return failed(1, 'Key file can be used only with --key-slot or with exactly one key slot active.');
  if (!opensSlot({ ...found, slots: bound }, key)) return failed(2, 'No key available with this passphrase.');
  return ended(call, ...begun(call, found, { key, cipher: one(options, '--cipher') }));
}

/**
 * Returns the header that `--init-only`, or a killed reencryption, leaves: with a slot for the new
 * key, and the progress.
 */
export function begun(
  { world }: Pick<ToolCall, 'world'>,
  found: Luks,
  { key, cipher = found.cipher }: { readonly key: string; readonly cipher?: string | undefined },
): readonly [Luks, State] {
  const taken = found.slots.map(({ slot }) => slot);
  const slot =
    Array.from({ length: 32 }, (_, number) => number).find((number) => !taken.includes(number)) ?? 31;
  const old = found.slots.find(({ opens }) => opens === undefined);
  const { kdf = 'pbkdf2', memory = 0 } = old ?? {};
  const fresh = { ...newSlot(world, { slot, kdf, memory, key }), opens: 'nothing' } as const;
  const to = present({ cipher });
  const state: State = { volumeKey: world.ids.uuid(), slot, done: 0, torn: false, ...to };
  return [{ ...found, slots: [...found.slots, fresh] }, state];
}

/**
 * Ends a reencryption. Keeps only the slot of the new key, and slots that were never for the data.
 */
function ended({ world }: ToolCall, found: Luks, state: State): ReturnType<ToolModel> {
  const { reencryption: _, ...header } = found;
  const slots = found.slots
    .filter(({ slot, opens }) => slot === state.slot || opens !== undefined)
    .map((each) => (each.slot === state.slot ? withoutPurpose(each) : each));
  const { volumeKey, cipher } = state;
  putHeader(world, found, { ...header, slots, volumeKey, ...present({ cipher }) });
  const size = String(found.device?.size ?? 0);
  return ok(
    `{"device":"${found.path}","device_bytes":"${size}","device_size":"${size}","speed":"1","eta_ms":"0","time_ms":"1"}\n`,
  );
}

/** Returns a slot as one that opens the data. */
function withoutPurpose({ opens: _, ...slot }: LuksSlot): LuksSlot {
  return slot;
}

/** `cryptsetup repair`: ends the part that was torn. */
export function repair(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, { flags: ['--batch-mode'], values: ['--key-file'] });
  const path = only(call, options);
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  const { reencryption } = found;
  if (reencryption?.torn !== true) return ok();
  if (!opensSlot(found, keyOf(call, options))) return failed(1, '');
  putHeader(call.world, found, { ...found, reencryption: { ...reencryption, torn: false } });
  return ok();
}

function keyOf(call: ToolCall, options: Options): string {
  if (call.stdin !== undefined && one(options, '--key-file') === '-') return call.stdin;
  throw unmodelled(call, 'it needs its key on stdin');
}
