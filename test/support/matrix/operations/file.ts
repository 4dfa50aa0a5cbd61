import { guest } from '../stage.ts';
import type { RigSpecimens } from '../operations.ts';
import { config } from './shell.ts';

export const file: RigSpecimens['file'] = {
  change: {
    setUp: `echo 'name = "${guest}"' > ${config}`,
    call: `tx.file.change({ path: '${config}', content: 'name = "${guest}"\\nmemory = 96\\n' })`,
    act: { tool: 'cp', words: ['--attributes-only'] },
    content: `cat ${config}`,
    clear: `rm -f ${config}`,
  },
  create: {
    setUp: 'true',
    call: `tx.file.create({ path: '${config}', content: 'name = "${guest}"\\n', mode: 0o644 })`,
    act: { act: 'link', path: config },
    clear: `rm -f ${config}`,
  },
  createDirectory: {
    setUp: 'true',
    call: `tx.file.createDirectory({ path: '/srv/${guest}', mode: 0o750 })`,
    act: { tool: 'mv', words: ['--no-clobber'] },
    clear: `rmdir /srv/${guest} 2>/dev/null; rm -rf /srv/.bofh-*`,
  },
  link: {
    setUp: 'mkdir -p /etc/xen/auto',
    call: `tx.file.link({ path: '/etc/xen/auto/${guest}.cfg', to: '../${guest}.cfg' })`,
    act: { tool: 'ln', words: ['--symbolic'] },
    clear: `rm -f /etc/xen/auto/${guest}.cfg; rmdir --ignore-fail-on-non-empty /etc/xen/auto`,
  },
  remove: {
    setUp: `echo 'name = "${guest}"' > ${config}`,
    call: `tx.file.remove({ path: '${config}' })`,
    act: { act: 'unlink', path: config },
    clear: `rm -f ${config}`,
  },
  removeDirectory: {
    setUp: `mkdir /srv/${guest}`,
    call: `tx.file.removeDirectory({ path: '/srv/${guest}' })`,
    act: { tool: 'mv', words: ['--no-clobber'] },
    clear: `rmdir /srv/${guest} 2>/dev/null; rm -rf /srv/.bofh-*`,
  },
  setAttributes: {
    setUp: `mkdir /srv/${guest}`,
    call: `tx.file.setAttributes({ path: '/srv/${guest}', uid: 33, gid: 33, mode: 0o2750 })`,
    act: { tool: 'chown', words: ['33:33'] },
    clear: `rmdir /srv/${guest}`,
  },
};
