import * as lvm from '../../../api/lvm.ts';
import { usableVg, volumeNamed } from '../../../lvm/index.ts';
import { type Answer, give } from '../../output/answer.ts';
import type { LvmTag } from '../../output/answers/index.ts';
import { change, plan } from '../../runtime/change.ts';
import { commaList, value, verb } from '../../runtime/verb.ts';
import { tags } from './options.ts';
import { volumeOf } from './volume.ts';

export default verb({
  changes: true,
  answers: 'lvm tag',
  args: { volume: ['<vg/name>', 'logical volume, for example vg0/web1'] },
  options: {
    add: tags,
    remove: value('<TAG,…>', 'tags to remove', { read: commaList }),
  },
  examples: ['lvm tag vg0/web1 --add backup,web'],
  run: (runtime, { volume, add = [], remove = [] }) => {
    const { vg, name } = volumeOf(volume);
    const asked = { vg, name, add: [...add], remove: [...remove] };
    return change<unknown, LvmTag>(runtime, async (bofh) => {
      if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, () => lvm.tagLv(asked));
      const lv = async () => volumeNamed(await usableVg(bofh.host, vg), { name });
      const { uuid, tags: before } = await lv();
      const answer = async (): Promise<Answer<LvmTag>> => {
        const { tags } = await lv();
        return {
          data: { volume, uuid, tags },
          lines: [`${volume} has the tags ${tags.join(', ') || 'none'}`],
        };
      };
      const isTagged =
        add.every((each) => before.includes(each)) && !remove.some((each) => before.includes(each));
      if (!isTagged || add.length + remove.length === 0)
        return { act: () => lvm.tagLv({ ...asked, uuid }), answer };
      return async () => {
        give(runtime, await answer());
        return 0;
      };
    });
  },
});
