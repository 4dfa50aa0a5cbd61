export { close, closeAfterCommit } from './operations/close.ts';
export { erase } from './operations/erase.ts';
export { format } from './operations/format.ts';
export { formatDetached } from './operations/format-detached.ts';
export { backupHeader } from './operations/backup-header.ts';
export { open } from './operations/open.ts';
export { restoreHeader } from './operations/restore-header.ts';
export { resize } from './operations/resize.ts';
export { addKey, changeKey, removeKey } from './operations/keys.ts';
