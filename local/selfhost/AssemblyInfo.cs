using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Payments.SelfHost.Tests")]
