import { commaList, value } from '../../runtime/verb.ts';

/** Options that several verbs of lvm have. */
export const extents = value('<N>', 'size in extents, or a share: 50%FREE, 10%VG');
export const tags = value('<TAG,…>', 'tags to add', { read: commaList });
