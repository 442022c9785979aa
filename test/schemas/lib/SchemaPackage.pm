#
# SchemaPackage.pm: schemas of applications, from Debian packages
#
# fetch_package(NAME) downloads a package with apt-get, which checks its signature, and unpacks it
# into a directory. Nothing is installed, and no script of the package is executed.
#
package SchemaPackage;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use File::Path qw(make_path);
use File::Temp;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use Test::More;

our @EXPORT_OK = qw(fetch_package schema_file);

my $directory;
my @own_lists;

# Executes a command in the directory, and returns its exit status and output.
sub run_command
{
	my (@command) = @_;
	my $pid = open my $pipe, '-|';

	defined $pid or die "cannot fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>&', \*STDOUT or die "cannot redirect: $!";
		chdir $directory or die "$directory: $!";
		exec @command or die "cannot execute $command[0]: $!";
	}
	my $output = do { local $/ = undef; <$pipe> } // '';
	close $pipe;
	return ($?, $output);
}

# The machine's package lists may be missing or outdated. To leave them alone, and to avoid
# requiring root, separate ones are fetched. Fails if one of them cannot be fetched.
sub update_own_lists
{
	my $apt = "$directory/apt";

	make_path("$apt/lists/partial", "$apt/cache/archives/partial");
	@own_lists = ('-o', "Dir::State::Lists=$apt/lists", '-o', "Dir::Cache=$apt/cache");
	return run_command('apt-get', '-q', @own_lists, '-o', 'APT::Update::Error-Mode=any', 'update');
}

sub download
{
	my ($package) = @_;

	return run_command('apt-get', '-q', @own_lists, 'download', $package);
}

# fetch_package(NAME): the directory of its files. If the distribution has no such package, the
# test is skipped; any other problem makes it fail.
sub fetch_package
{
	my ($package) = @_;

	$directory //= File::Temp->newdir('cnap_org.XXXXXX', TMPDIR => 1);
	my ($status, $output) = download($package);
	if ($status != 0 && !@own_lists)
	{
		my ($updated, $updating) = update_own_lists();
		($status, my $downloading) = download($package);
		plan(skip_all => "this distribution has no package $package")
		  if $updated == 0 && $downloading =~ /^E: (?:Unable to locate package|.* has no candidate)/m;
		$output .= $updating . $downloading;
	}
	$status == 0 or die "cannot fetch the Debian package $package, which this test is about:\n$output";

	my ($archive) = glob "$directory/${package}_*.deb";
	($status, $output) = run_command('dpkg-deb', '-x', $archive, "$directory/$package");
	$status == 0 or die "cannot unpack the Debian package $package:\n$output";
	return "$directory/$package";
}

# schema_file(DIRECTORY, PATH, PATTERN): the path of an SQL file, decompressed if necessary. If it
# does not contain the pattern, it is not the expected version.
sub schema_file
{
	my ($package, $path, $pattern) = @_;
	my $file = "$package/$path";

	if (!-e $file && -e "$file.gz")
	{
		gunzip("$file.gz" => $file) or die "$file: $GunzipError";
	}
	open my $handle, '<', $file or die "the Debian package has no $path: $!";
	my $text = do { local $/ = undef; <$handle> };
	close $handle;
	plan(skip_all => "this distribution has another version of $path") if $text !~ $pattern;
	return $file;
}

1;
