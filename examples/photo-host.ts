// What a host for photos should have. See it with: bofh host plan examples/photo-host.ts --diff
import { defineHost } from 'bofh';

export default defineHost((h, facts) => {
  const device = '/dev/vg0/photos';
  h.directory('/srv/photos');
  h.ensure.lvm.createLv({ vg: 'vg0', name: 'photos', size: '256m' });
  h.ensure.filesystem.create({ device, type: 'ext4' });
  h.ensure.mount.mount({ device, path: '/srv/photos', mode: 'rw' });
  h.ensure.mount.addFstab({
    source: device,
    target: '/srv/photos',
    type: 'ext4',
    options: ['nofail'],
  });

  h.directory('/srv/photos/incoming', { group: 33, mode: 0o2770 });
  h.file('/srv/photos/index.html', { content: `<h1>Photos on ${facts.hostname}</h1>\n` });
  h.link('/etc/photos', { to: '/srv/photos' });
  h.lines('/etc/hosts', { present: ['127.0.0.1 photos.internal'] });
  h.absent('/etc/photos.conf');
});
