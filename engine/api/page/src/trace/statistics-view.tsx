import type { Tree } from './tree';

export function StatisticsView({ tree }: { tree: Tree }) {
  return <p>{tree.count}</p>;
}
