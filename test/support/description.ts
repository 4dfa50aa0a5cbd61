import { defineHost } from 'bofh';

/** A description that every host with /tmp meets. */
export default defineHost((h) => h.absent('/tmp/bofh-no-such-file'));
