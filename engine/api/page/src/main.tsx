// Where the page begins.

import { render } from 'preact';
import './style/base.css';
import './style/parts.css';
import './style/search.css';
import './style/trace.css';
import './style/groups.css';
import './style/services.css';
import { App } from './app/app';
import { startKeys } from './app/keys';
import { startRouter } from './app/router';
import { startTheme } from './app/settings';

startTheme();
startRouter();
startKeys();
const root = document.getElementById('app');
if (root) render(<App />, root);
