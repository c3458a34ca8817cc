import type { Tree } from './tree';

export function FlameView({ tree }: { tree: Tree }) {
  return <p>{tree.count}</p>;
}
