import { secondKeyPath } from '../../../command/index.ts';
import { one, readOptions, unmodelled } from '../../options.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { isKdf, luksAt, newSlot, noLuks, only, putHeader, opensSlot } from './luks.ts';

/** `cryptsetup luksAddKey`, into a free slot. */
export function luksAddKey(call: ToolCall): ReturnType<ToolModel> {
  const options = readOptions(call, {
    flags: ['--batch-mode'],
    values: ['--key-slot', '--pbkdf', '--pbkdf-memory', '--iter-time', '--key-file'],
  });
  const { world, stdin, secondKey } = call;
  const [path = '', from, ...more] = options.words;
  const [kdf, number] = [one(options, '--pbkdf'), Number(one(options, '--key-slot'))];
  if (
    stdin === undefined ||
    secondKey === undefined ||
    from !== secondKeyPath ||
    more.length > 0 ||
    !isKdf(kdf)
  )
    throw unmodelled(call, 'it needs one key on stdin, and another one beside');
  const found = luksAt(world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (found.slots.some(({ slot }) => slot === number))
    return failed(1, `Key slot ${number} is full, please select another one.`);
  if (!opensSlot(found, stdin)) return failed(2, 'No key available with this passphrase.');
  const memory = Number(one(options, '--pbkdf-memory') ?? 0);
  const added = newSlot(world, { slot: number, kdf, memory, key: secondKey });
  putHeader(world, found, { ...found, slots: [...found.slots, added] });
  return ok();
}

/**
 * `cryptsetup luksKillSlot`: without a key on stdin it asks no question, and also removes the last
 * slot.
 */
export function luksKillSlot(call: ToolCall): ReturnType<ToolModel> {
  const { words } = readOptions(call, { flags: ['--batch-mode'] });
  const [path = '', slot, ...more] = words;
  if (slot === undefined || more.length > 0 || call.stdin !== undefined)
    throw unmodelled(call, 'it takes a device and a slot, and no key');
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  if (!found.slots.some((each) => String(each.slot) === slot))
    return failed(1, `Keyslot ${slot} is not active.`);
  const slots = found.slots.filter((each) => String(each.slot) !== slot);
  putHeader(call.world, found, { ...found, slots });
  return ok('', 'Nothing to read on input.\n');
}

/** `cryptsetup luksErase`: removes every slot. */
export function luksErase(call: ToolCall): ReturnType<ToolModel> {
  const path = only(call, readOptions(call, { flags: ['--batch-mode'] }));
  const found = luksAt(call.world, path);
  if (typeof found === 'string') return noLuks(path, found);
  putHeader(call.world, found, { ...found, slots: [] });
  return ok();
}
