/** What is typed on the real host and on the simulated one alike. */
export const source = '--source tar:/srv/guest.tar --size 256m --swap 64m --memory 96m';

/** Two sequences in a script: one that holds, and one of which nothing is left. */
export const script = `import { atomic, lvm } from 'bofh';

const lv = await atomic('disk for my_vm', async (tx) => {
  const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'my_vm', size: '100mb' });
  await tx.filesystem.create({ device: lv.path, type: 'ext4' });
  return lv;
});
console.log(\`made \${lv.path}\`);

try {
  await atomic('two disks, or none', async (tx) => {
    await tx.lvm.createLv({ vg: 'vg0', name: 'one', size: '100mb' });
    await tx.lvm.createLv({ vg: 'vg0', name: 'two', size: '900tb' });
  });
} catch (error) {
  console.log(error.message);
}
console.log((await lvm.lvs()).map((each) => each.fullName).join(' '));
await lvm.removeLv({ vg: 'vg0', name: 'my_vm' });
`;
