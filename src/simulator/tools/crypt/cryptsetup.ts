import { unmodelled } from '../../options.ts';
import type { ToolModel } from '../answer.ts';
import { luksDump, luksFormat } from './device.ts';
import { luksHeaderBackup, luksHeaderRestore } from './header.ts';
import { luksAddKey, luksErase, luksKillSlot } from './keys.ts';
import { close, open, resize, status } from './open.ts';
import { reencrypt, repair } from './reencrypt.ts';
import { dmsetupRename, dmsetupTable } from '../lvm/dmsetup.ts';

const known: Readonly<Record<string, ToolModel>> = {
  luksAddKey,
  luksDump,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  open,
  close,
  reencrypt,
  repair,
  resize,
  status,
};

/** cryptsetup 2.6 and dmsetup 1.02, as far as bofh uses them. */
export const cryptTools: Readonly<Record<string, ToolModel>> = {
  cryptsetup: (call) => {
    const [verb = '', ...argv] = call.argv;
    const model = known[verb];
    if (model === undefined) throw unmodelled(call, 'the verb is new to it');
    return model({ ...call, argv });
  },
  dmsetup: (call) => {
    const [verb = '', from = '', to = '', ...more] = call.argv;
    if (verb === 'table' && to === '') return dmsetupTable(call.world, from);
    if (verb !== 'rename' || to === '' || more.length > 0) throw unmodelled(call, 'it renames');
    return dmsetupRename(call.world, from, to);
  },
};
