import * as drbd from '../../../api/drbd.ts';
import { present } from '../../../core/present.ts';
import type { Answer } from '../../output/answer.ts';
import type { DrbdWiped } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { value, verb } from '../../runtime/verb.ts';
import { volume } from './options.ts';

export default verb({
  changes: true,
  answers: 'drbd wipe-md',
  args: { name: ['<resource>', 'name of the resource'] },
  options: {
    overwrite: value('<UUID>', 'UUID of the metadata to remove', { required: true }),
    volume,
  },
  examples: ['drbd wipe-md web1 --overwrite 8FA3E1D2C4B59607'],
  run: (runtime, { name, overwrite: uuid, volume }) =>
    change(runtime, {
      destroys: [
        `the metadata of ${printable(name)} (uuid ${printable(uuid)}) will be removed; DRBD will no longer know which blocks differ from its peer`,
      ],
      checksFirst: true,
      act: () => drbd.removeMetadata({ name, uuid, ...present({ volume }) }),
      answer: (wiped): Answer<DrbdWiped> => ({
        data: { resource: name, ...wiped },
        lines: [`${wiped.device} has no metadata of ${name} any more (uuid ${wiped.uuid}); its data stays`],
      }),
    }),
});
