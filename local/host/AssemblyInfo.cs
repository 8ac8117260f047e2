using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("FunctionsHost.Tests")]
