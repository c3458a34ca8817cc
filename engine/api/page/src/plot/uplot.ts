// uPlot and its styles, in a file of their own.

import 'uplot/dist/uPlot.min.css';

export { default } from 'uplot';
